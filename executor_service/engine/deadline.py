"""What a deadline that leads to a step does to the state of an execution."""

from executor_service.engine.frontier import Arrival
from executor_service.engine.scope import join
from executor_service.engine.state import START, State
from executor_service.engine.visit import Visit
from steplog_contracts.events import ExecutionDeadlinePassed


def _branches(state: State) -> list[Visit]:
    """Return the visits that branches stand at: items of a map stand beside its own."""
    return [visit for visit in state.visits.values() if visit.step.item_index is None]


def pass_deadline(state: State, event: ExecutionDeadlinePassed) -> None:
    """Join what all branches have written so far: that is what the deadline's step is given.

    Visits that are open stay as stopped ones until the end of each is folded.
    """
    state.deadline_passed = True
    branches = [(visit.path_index, visit.scope) for visit in _branches(state)]
    branches += [(branch.path_index, branch.scope) for branch in state.ended_branches]
    branches += state.frontier.clear()
    branches.sort(key=lambda branch: branch[0])
    for visit in state.visits.values():
        visit.status = "stopped"
    state.ended_branches.clear()
    joined = join([scope for _, scope in branches], state.frontier.numbers)
    state.frontier.arrive(event.to_step, Arrival(START, joined))
