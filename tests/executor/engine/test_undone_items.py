"""Items of a map are undone one after another, the last completed first, and may say how far."""

from typing import Any

import pytest

from executor_service import Allowlist, DefinitionRefused, Step
from executor_service.definitions.blueprint import Blueprint, compile_definition
from executor_service.engine.snapshot import restore, snapshot
from steplog_contracts import events as ev
from tests.executor.flows import ManualClock, Recorded, blueprint_of, folded, paths

UNDONE: list[tuple[Any, Any]] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    UNDONE.clear()


class Sends(Step):
    """Does an item and can undo it; the test says at which attempts undoing fails."""

    def __init__(self, name: str, fails: int = 0) -> None:
        super().__init__(name, {})
        self.fails = [fails]

    async def run(self, data: Any) -> Any:
        """Do the item; a third one can't be done."""
        if data["item"] == "bad":
            raise ValueError("no")
        return f"sent {data['item']}"

    async def compensate(self, data: Any, output: Any) -> Any:
        """Undo it, saying so before."""
        self.context.heartbeat({"undoing": data["item"], "before": self.context.last_heartbeat})
        if self.fails[0]:
            self.fails[0] -= 1
            raise ConnectionError("away")
        UNDONE.append((data["item"], output))


def fails(data: Any) -> Any:
    """Fail."""
    raise ValueError("no")


def mapped(items: Any, sends: Sends | None = None, **keys: Any) -> Blueprint:
    """Return a map whose flow fails behind it."""
    each = {"type": "map", "items": items, "max_concurrency": 1, "step": {}, **keys}
    steps = {"each": sends or Sends("each"), "last": fails}
    return blueprint_of(steps, paths("each > last"), of={"each": each}, on_failure="compensate")


def undone(events: list[ev.Event]) -> list[tuple[str, int | None]]:
    """Return the visits that were undone, in order."""
    return [(e.step_id, e.item_index) for e in events if isinstance(e, ev.StepCompensated)]


async def test_items_are_undone_in_reverse_order_of_their_recorded_completion() -> None:
    recorded = Recorded(mapped(["a", "b", "c"]))
    outcome = await recorded.run()

    assert outcome.status == "failed"
    assert UNDONE == [("c", "sent c"), ("b", "sent b"), ("a", "sent a")]
    assert undone(recorded.log.events) == [("each[2]", 2), ("each[1]", 1), ("each[0]", 0)]


async def test_the_completed_items_of_a_map_that_failed_are_undone() -> None:
    await Recorded(mapped(["a", "bad", "c"])).run()

    assert UNDONE == [("a", "sent a")]


async def test_items_that_a_map_tolerates_are_not() -> None:
    await Recorded(mapped(["a", "bad", "c"], tolerated_failures=1)).run()

    assert [item for item, _ in UNDONE] == ["c", "a"]


@pytest.mark.parametrize("compensate", [False, "gone"])
async def test_a_map_says_by_its_step_how_items_are_undone(compensate: Any) -> None:
    if compensate:
        with pytest.raises(DefinitionRefused, match=r"no method 'gone'"):
            mapped([1], step={"compensate": compensate})
    else:
        await Recorded(mapped([1], step={"compensate": compensate})).run()

    assert UNDONE == []


async def test_it_goes_on_after_a_crash_at_any_event() -> None:
    whole = Recorded(mapped(["a", "b", "bad"], Sends("each", fails=1)))
    await whole.run()
    for length in range(2, len(whole.log.events)):
        UNDONE.clear()
        after = Recorded(mapped(["a", "b", "bad"]), ManualClock())
        await after.execution.resume_run(folded(after.blueprint, whole.log.events[:length]))

        events = [*whole.log.events[:length], *after.log.events]
        assert undone(events) == [("each[1]", 1), ("each[0]", 0)]
        assert type(events[-1]) is ev.ExecutionFailed


async def test_completed_items_are_in_a_snapshot() -> None:
    recorded = Recorded(mapped(["a", "b"]))
    await recorded.run()
    state = folded(recorded.blueprint, recorded.log.events[:6])

    again = restore(snapshot(state), recorded.blueprint.plan, "e-1")
    assert [(d.step.id, d.step.item_index, d.output) for d in again.done] == [
        ("each[0]", 0, "sent a"), ("each[1]", 1, "sent b")
    ]  # fmt: skip


async def test_heartbeats_of_a_compensation_are_recorded_and_reach_its_next_attempt() -> None:
    recorded = Recorded(mapped(["a"], Sends("each", fails=1)), park=False)
    await recorded.run()

    said = [(e.step_id, e.attempt, e.progress) for e in recorded.log.of(ev.StepProgressed)]
    first = {"undoing": "a", "before": None}
    assert said == [("each[0]", 1, first), ("each[0]", 2, {"undoing": "a", "before": first})]


async def test_heartbeats_of_an_item_are_recorded_with_the_item() -> None:
    async def beats(data: Any, step: Any) -> None:
        step.context.heartbeat(data["item"])

    each = {"type": "map", "items": [7], "step": {"error_handling": {"retry": {}}}}
    recorded = Recorded(blueprint_of({"each": _failing_after(beats)}, paths("each > end"),
                                     of={"each": each}), park=False)  # fmt: skip
    await recorded.run()

    failed = recorded.log.of(ev.StepAttemptFailed)
    said = {e.progress for e in [*failed, *recorded.log.of(ev.StepProgressed)]}
    assert {(event.step_id, event.item_index) for event in failed} == {("each[0]", 0)}
    assert 7 in said


def _failing_after(function: Any) -> Any:
    async def beats_and_fails(data: Any, step: Any) -> None:
        await function(data, step)
        raise ConnectionError("away")

    return beats_and_fails


@pytest.mark.parametrize(
    "compensate",
    [{"method": "undo"}, {}, {"retry": {}}, {"module": "tests.executor.example_steps"}],
)
def test_a_child_is_undone_by_a_class_alone(compensate: Any) -> None:
    step = {"id": "call", "type": "pipeline", "pipeline": "pay", "compensate": compensate}
    definition = {"name": "p", "steps": [step], "flow": {"start_at": "call"}}

    with pytest.raises(DefinitionRefused, match="no class, and so no method"):
        compile_definition(definition, Allowlist(["tests.*"]))
