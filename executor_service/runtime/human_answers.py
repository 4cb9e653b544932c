"""What people ask of an execution: answers, checked when they come and taken up by its loop."""

from dataclasses import dataclass
from datetime import datetime

from executor_service.definitions.json_schemas import answer_problems
from executor_service.engine.human_waits import merged_answer
from executor_service.engine.state import State
from executor_service.engine.values import plain
from executor_service.engine.visit import Visit
from executor_service.errors import CommandNotApplicable, ResultNotJson
from steplog_contracts.answer_form import answer_refusal, assigned_to, may_answer
from steplog_contracts.payload import JsonValue
from steplog_contracts.refusal_codes import RefusalCode


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said, who it was, and the command that brought it."""

    human_input: JsonValue
    responded_by: str | None
    cause: str | None
    for_anyone: bool = False  # May be given though the question is for others.


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Why an execution is to end, who wants it, and the command that brought it."""

    reason: str
    requested_by: str | None
    cause: str | None
    compensate: bool = False  # Whether completed steps are undone first.


class Answers:
    """Accepted answers by step, until the loop takes them."""

    def __init__(self) -> None:
        self.accepted: dict[str, Answer] = {}

    def accept(self, state: State, step_id: str | None, answer: Answer, now: datetime) -> str:
        """Keep an answer for the step, which may be left out if only one waits.

        Returns the interaction id of the wait that it ends.

        Raises:
            CommandNotApplicable: `not_waiting`, `step_required`, `already_answered`,
                `wait_expired`, `not_assigned` or `answer_refused`.
        """
        visit = self._waiting(state, step_id)
        waited_for = visit.step.id
        if visit.expires_at is not None and visit.expires_at <= now:
            raise CommandNotApplicable(
                RefusalCode.WAIT_EXPIRED,
                f"The wait of step '{waited_for}' expired at {visit.expires_at}.",
            )
        try:
            plain_input = plain(answer.human_input)
        except ResultNotJson as error:
            raise CommandNotApplicable(RefusalCode.ANSWER_REFUSED, str(error)) from error
        _refuse_unless_assigned(visit, answer)
        _refuse_unless_fitting(visit, plain_input)
        self.accepted[waited_for] = Answer(plain_input, answer.responded_by, answer.cause)
        return visit.interaction_id or ""

    def take(self, state: State) -> list[tuple[Visit, Answer]]:
        """Return the answers whose steps still wait, and forget them all."""
        accepted, self.accepted = self.accepted, {}
        return [
            (visit, answer)
            for step_id, answer in accepted.items()
            if (visit := state.visits.get(step_id)) is not None and visit.status == "waiting"
        ]

    def _waiting(self, state: State, step_id: str | None) -> Visit:
        asked = [v for v in state.visits.values() if v.status in ("waiting", "answered")]
        if step_id is not None:
            asked = [visit for visit in asked if visit.step.id == step_id]
        elif len(asked) > 1:
            open_ones = [visit for visit in asked if not self._is_answered(visit)]
            asked = open_ones or asked
        if not asked:
            which = "No step" if step_id is None else f"Step '{step_id}' is not what"
            raise CommandNotApplicable(RefusalCode.NOT_WAITING, f"{which} waits for a person here.")
        if len(asked) > 1:
            names = ", ".join(visit.step.id for visit in asked)
            raise CommandNotApplicable(
                RefusalCode.STEP_REQUIRED, f"Several steps wait for a person; name one of: {names}."
            )
        if self._is_answered(asked[0]):
            raise CommandNotApplicable(
                RefusalCode.ALREADY_ANSWERED, f"Step '{asked[0].step.id}' was answered already."
            )
        return asked[0]

    def _is_answered(self, visit: Visit) -> bool:
        return visit.status == "answered" or visit.step.id in self.accepted


def _refuse_unless_assigned(visit: Visit, answer: Answer) -> None:
    """Hold whoever has a name to whom the question is for."""
    assigned_users = visit.asked.get("assigned_users")
    if not answer.for_anyone and not may_answer(answer.responded_by, assigned_users):
        names = ", ".join(assigned_to(assigned_users))
        raise CommandNotApplicable(
            RefusalCode.NOT_ASSIGNED,
            f"The question of step '{visit.step.id}' is for {names}, not for "
            f"{answer.responded_by}; one of them or an admin can answer it.",
        )


def _refuse_unless_fitting(visit: Visit, human_input: JsonValue) -> None:
    """Hold an answer to the form it was asked for by, then to the step's `output_schema`."""
    waited_for = visit.step.id
    problems = answer_problems(visit.asked.get("ui_schema"), human_input)
    if problems:
        raise CommandNotApplicable(RefusalCode.ANSWER_REFUSED, answer_refusal(waited_for, problems))
    check = visit.step.check_output
    problem = check(merged_answer(visit, human_input)) if check else None
    if problem is not None:
        raise CommandNotApplicable(
            RefusalCode.ANSWER_REFUSED,
            f"The answer breaks the output_schema of step '{waited_for}': {problem}",
        )
