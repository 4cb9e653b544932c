"""A new execution from a recorded point of another: the moment at which a step began.

What had ended before that moment is taken over. The step itself runs anew, and so does what was
still running beside it: its result was not there yet when the step began.
"""

from collections.abc import Sequence

from executor_service.commands.copied_events import Visit, copies, ended_visits, last_taken_seq
from executor_service.definitions.blueprint import Blueprint
from executor_service.errors import CommandNotApplicable
from executor_service.log.recovery import RecoveredExecution
from steplog_contracts.commands import ForkExecution
from steplog_contracts.events import (
    Event,
    ExecutionStarted,
    Origin,
    StepCompensated,
    StepCompleted,
    StepEvent,
)
from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.refusal_codes import RefusalCode


def forked(
    origin: RecoveredExecution, blueprint: Blueprint, command: ForkExecution, command_id: str
) -> list[Event]:
    """Return the first events of the fork; `blueprint` is that of the origin's definition.

    Raises:
        CommandNotApplicable: `unknown_step`, `step_not_reached`, `result_undone`, or
            `patch_without_effect`.
        InputRefused: the patched input does not fit the definition.
    """
    fork_at = (command.from_step, command.iteration)
    before = _until(fork_at, origin, blueprint)
    kept = ended_visits(before)
    _refuse_undone(origin, kept)
    _refuse_patch_without_effect(command.input_patch, before, kept)
    link = Origin(
        execution_id=origin.execution_id,
        kind="fork",
        from_step=command.from_step,
        at_seq=last_taken_seq(before, kept),
    )
    started = _started(origin.started, blueprint, command.input_patch)
    started = started.model_copy(update={"command_id": command_id, "origin": link})
    return [started, *copies(before, kept, command.execution_id)]


def merge_patch(target: JsonValue, patch: JsonValue) -> JsonValue:
    """Return the target with a JSON Merge Patch (RFC 7396) laid over it; neither is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, change in patch.items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), change)
    return merged


def _until(fork_at: Visit, origin: RecoveredExecution, blueprint: Blueprint) -> list[Event]:
    """Return the origin's events before the visit began."""
    step_id, iteration = fork_at
    if blueprint.plan.step_of(step_id) is None:
        raise CommandNotApplicable(
            RefusalCode.UNKNOWN_STEP,
            f"Execution {origin.execution_id} has no step '{step_id}'; it has "
            f"{', '.join(blueprint.plan.steps)}.",
        )
    before: list[Event] = []
    for event, _ in origin.facts:
        if isinstance(event, StepEvent) and (event.step_id, event.iteration) == fork_at:
            return before
        before.append(event)
    visit = f"step '{step_id}'" if iteration == 1 else f"visit {iteration} of step '{step_id}'"
    raise CommandNotApplicable(
        RefusalCode.STEP_NOT_REACHED,
        f"Execution {origin.execution_id} never reached {visit}; fork from a step it began.",
    )


def _refuse_undone(origin: RecoveredExecution, kept: set[Visit]) -> None:
    """Results whose steps were undone since can't be taken over."""
    for event, _ in origin.facts:
        if isinstance(event, StepCompensated) and (event.step_id, event.iteration) in kept:
            raise CommandNotApplicable(
                RefusalCode.RESULT_UNDONE,
                f"Step '{event.step_id}' was undone after execution {origin.execution_id} failed; "
                "fork from that step or an earlier one.",
            )


def _started(began: ExecutionStarted, blueprint: Blueprint, patch: JsonObject) -> ExecutionStarted:
    if not patch:
        return began
    explicit = {name: value for name, value in began.parameters.items() if name not in patch}
    given = blueprint.checked_input(merge_patch(began.input, patch))
    # Those that were on record before are not held to the schema again.
    parameters = blueprint.resolved_parameters(given, explicit)
    return began.model_copy(update={"input": given, "parameters": parameters})


def _refuse_patch_without_effect(
    patch: JsonObject, before: Sequence[Event], kept: set[Visit]
) -> None:
    """A key that a taken-over result wrote hides the input's: patching it would change nothing."""
    for event in before:
        if not isinstance(event, StepCompleted) or not isinstance(event.output, dict):
            continue
        hidden = sorted(patch.keys() & event.output.keys())
        if event.item_index is not None:
            continue  # An item's result stands in the list of its map alone.
        if hidden and (event.step_id, event.iteration) in kept:
            raise CommandNotApplicable(
                RefusalCode.PATCH_WITHOUT_EFFECT,
                f"The patch's '{hidden[0]}' would have no effect: the recorded result of step "
                f"'{event.step_id}' has it too. Fork from '{event.step_id}' or an earlier step.",
            )
