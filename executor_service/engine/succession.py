"""A plain step's end and the next one's beginning, decided and folded in one go.

Where nothing but one branch lives, and nothing in the plan could lead elsewhere, what follows a
result needs no asking: these two events. They and the state are what `decide` and `fold` make of
the same result, at a quarter of the cost; `tests/executor/engine/test_succession.py` holds them to
it.
"""

from executor_service.engine.human_waits import asks_a_person
from executor_service.engine.state import State
from executor_service.engine.step_events import step_completed, step_started
from executor_service.engine.visit import Visit
from steplog_contracts import events as ev
from steplog_contracts.payload import JsonValue


def succeed(
    state: State, visit: Visit, output: JsonValue, duration_ms: float
) -> tuple[ev.StepCompleted, ev.StepStarted] | None:
    """Fold a step's end and the beginning of the next one, and return both; None, with nothing
    changed, where `decide` has to be asked."""
    step, scope = visit.step, visit.scope
    following = state.plan.successors.get(step.id)
    if following is None or len(state.visits) != 1 or state.frontier.arrived or scope.contested:
        return None
    if state.failure is not None or state.cancelling is not None or state.finishing:
        return None
    if output is not None and asks_a_person(output):
        return None
    always = step.always
    assert always is not None, "no condition decides behind a step with a successor"
    ended = step_completed(step.id, visit.iteration, visit.attempt, output, always, duration_ms)
    scope.write(step.id, output)
    data, step_id = scope.data, following.id
    iteration = state.iterations.get(step_id, 0) + 1
    began = step_started(step_id, iteration, 1, following.name, following.type, data)
    del state.visits[step.id]
    state.frontier.moved_on(step.id)
    visit = Visit(following, iteration, scope, always[0])
    visit.input, visit.attempt = data, 1
    state.visits[step_id] = visit
    state.iterations[step_id] = iteration
    state.seq += 2
    state.recorded_at = None
    return ended, began
