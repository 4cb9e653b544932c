"""A person's answer, held to the question it is for before it is sent.

The executor judges every answer again, wherever it comes from: rows may be behind. What can be said
at once is said at once, to the person who still looks at the form.
"""

import json
from functools import partial
from typing import Any, Final

import jsonschema_rs

from steplog_contracts.answer_form import (
    answer_problems,
    answer_refusal,
    assigned_to,
    may_answer,
)
from steplog_contracts.form_cost import check_form_cost
from steplog_contracts.payload import JsonObject, JsonValue
from tracker_service.access.roles import Caller, NotAllowed, Role
from tracker_service.http_api.problems import Refused
from tracker_service.store.queries import Row
from tracker_service.store.read_port import ReadModel

# Of one execution, to find the one an answer is for.
MAX_OPEN_QUESTIONS: Final = 500
MAX_BACKTRACKING_STEPS: Final = 10_000  # Of one pattern in one text.
_NO_SCHEMA: Final = (
    jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, RecursionError,
)  # fmt: skip


def _nothing_remote(uri: str) -> JsonValue:
    raise ValueError(f"{uri} is outside the form")


_FOR_ANSWERS: Final = partial(
    jsonschema_rs.validator_for,
    retriever=_nothing_remote,
    validate_formats=True,
    mask="the value",
    pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=MAX_BACKTRACKING_STEPS),
)


def _compiled(form: JsonObject) -> Any:
    check_form_cost(form)
    return _FOR_ANSWERS(form)


def answers_for_anyone(caller: Caller) -> bool:
    """Say whether a caller may answer questions to others: admins, and whoever is on loopback."""
    return caller.role >= Role.ADMIN


async def check_answer(
    model: ReadModel, caller: Caller, execution_id: str, step_id: str | None, answer: JsonValue
) -> None:
    """Hold an answer to the open question it can only be for; none is no fault here.

    Raises:
        NotAllowed, Refused: as `check_answer_to`.
    """
    rows = await model.interactions(execution_id=execution_id, limit=MAX_OPEN_QUESTIONS)
    meant = [row for row in rows if step_id is None or row["step_id"] == step_id]
    if len(meant) == 1:
        check_answer_to(meant[0], caller, answer)


def check_answer_to(question: Row, caller: Caller, answer: JsonValue) -> None:
    """Hold an answer to a question.

    Raises:
        NotAllowed: the question is for others.
        Refused: `answer_refused`, with a reason for each field.
    """
    assigned_users = _value(question["assigned_users"])
    if not answers_for_anyone(caller) and not may_answer(caller.name, assigned_users):
        names = ", ".join(assigned_to(assigned_users))
        raise NotAllowed(
            f"The question of step '{question['step_id']}' is for {names}, not for {caller.name}; "
            "one of them or an admin can answer it."
        )
    try:
        problems = answer_problems(_value(question["ui_schema"]), answer, _compiled)
    except _NO_SCHEMA:
        return  # Asked by another program; the executor decides.
    if problems:
        raise Refused("answer_refused", answer_refusal(question["step_id"], problems))


def _value(stored: Any) -> JsonValue:
    return None if stored is None else json.loads(bytes(stored))
