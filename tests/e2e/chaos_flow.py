"""What the events say of maps, of trees of executions and of what was undone, each on its own."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from steplog_contracts.envelope import RecordedEvent
from steplog_contracts.events import (
    ExecutionStarted,
    StepChildStarted,
    StepCompensated,
    StepCompleted,
    StepFailed,
)
from tests.e2e.chaos_steps import Kind

Histories = Mapping[str, Sequence[RecordedEvent]]


def judge_children(histories: Histories) -> list[str]:
    """Return the visits that began more than one child, and children that began more than once.

    No step here is tried again, so that a visit has one attempt that begins one.
    """
    of_visit: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    begun = Counter[str]()
    for execution_id, history in histories.items():
        for event in (recorded.event for recorded in history):
            if isinstance(event, StepChildStarted):
                visit = (execution_id, event.step_id, event.iteration)
                of_visit[visit].add(event.child_execution_id)
            elif isinstance(event, ExecutionStarted) and event.parent_execution_id is not None:
                begun[execution_id] += 1
                parent = event.parent_visit
                if parent is not None:
                    visit = (event.parent_execution_id, parent.step_id, parent.iteration)
                    of_visit[visit].add(execution_id)
    twice = ["/".join(map(str, visit)) for visit, found in of_visit.items() if len(found) > 1]
    return twice + [execution_id for execution_id, count in begun.items() if count > 1]


def judge_items(histories: Histories, kinds: Mapping[str, Kind]) -> tuple[list[str], list[str]]:
    """Return the executions whose map lacks items or their results, and the items with two ends."""
    lacking, twice = [], []
    for execution_id, history in histories.items():
        ends = Counter[int]()
        result: object = None
        for event in (recorded.event for recorded in history):
            if not isinstance(event, StepCompleted | StepFailed):
                continue
            if event.item_index is not None:
                ends[event.item_index] += 1
            elif event.step_id == "b":
                result = event.output
        twice += [f"{execution_id}/{index}" for index, count in ends.items() if count > 1]
        count = kinds[execution_id].items if execution_id in kinds else 0
        if len(ends) != count or (count and result != [2 * n for n in range(count)]):
            lacking.append(f"items of {execution_id}")
    return lacking, twice


def judge_undoing(histories: Histories, kinds: Mapping[str, Kind]) -> list[str]:
    """Return the executions whose steps were not undone once each, in their order."""
    wrong = []
    for execution_id, history in histories.items():
        undone = tuple(r.event.step_id for r in history if isinstance(r.event, StepCompensated))
        if undone != (kinds[execution_id].undone if execution_id in kinds else ()):
            wrong.append(execution_id)
    return wrong
