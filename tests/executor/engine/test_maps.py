"""A map does one thing for each item of a list; each item is a visit of its own."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor_service import RunFailed
from executor_service.definitions.blueprint import Blueprint
from executor_service.engine.map_items import MAX_ITEMS
from executor_service.engine.snapshot import restore, snapshot
from executor_service.runtime.execution import Execution
from steplog_contracts import events as ev
from tests.executor.flows import (
    KeptEvents,
    ManualClock,
    Recorded,
    Run,
    blueprint_of,
    folded,
    paths,
    pipeline_of,
    results,
    until,
)


def of_map(function: Run, **keys: Any) -> tuple[dict[str, Any], list[dict[str, Any]], Any]:
    """Return a flow of a step, a map over `items` of the input, and a step after it."""
    each = {"type": "map", "items": "{{ pipeline_input.items }}", "step": {}, **keys}
    functions = {"first": lambda data: {}, "each": function, "last": lambda data: {"done": True}}
    return functions, paths("first > each", "each > last"), {"each": each}


def blueprint(function: Run, **keys: Any) -> Blueprint:
    functions, flow, declared = of_map(function, **keys)
    return blueprint_of(functions, flow, of=declared)


async def run(function: Run, items: Any, **keys: Any) -> dict[str, Any]:
    functions, flow, declared = of_map(function, **keys)
    return await pipeline_of(functions, flow, of=declared).run({"items": items})


async def recorded(function: Run, items: Any, **keys: Any) -> KeptEvents:
    kept = Recorded(blueprint(function, **keys))
    await kept.run({"items": items})
    return kept.log


def double(data: dict[str, Any]) -> Any:
    return data["item"] * 2


def fails_at(*bad: int) -> Run:
    def function(data: dict[str, Any]) -> Any:
        if data["item"] in bad:
            raise ValueError(f"no {data['item']}")
        return data["item"]

    return function


async def test_the_results_stand_in_the_order_of_the_items() -> None:
    async def slower_first(data: dict[str, Any]) -> Any:
        for _ in range(10 - data["item"]):
            await asyncio.sleep(0)
        return data["item"]

    result = await run(slower_first, list(range(10)))

    assert results(result)["each"] == list(range(10))


async def test_an_empty_list_completes_with_an_empty_list() -> None:
    result = await run(double, [])

    assert results(result)["each"] == []
    assert result["output"]["done"]


async def test_an_item_is_given_the_item_and_its_inputs_but_not_the_whole_data() -> None:
    seen: list[Any] = []

    await run(
        lambda data: seen.append(dict(data)),
        ["a"],
        item_name="letter",
        step={"inputs": {"all": "{{ pipeline_input.items }}", "own": "{{ letter }}!"}},
    )

    assert seen == [{"letter": "a", "item_index": 0, "all": ["a"], "own": "a!"}]


async def test_each_item_has_a_key_of_its_own_for_outside_systems() -> None:
    keys: list[str] = []

    await run(lambda data, step: keys.append(step.context.idempotency_key), [1, 2])

    assert [key.split(":", 1)[1] for key in keys] == ["each[0]:1", "each[1]:1"]


async def test_items_are_recorded_once_and_each_visit_says_which_item_it_is() -> None:
    log = await recorded(double, [5, 6])

    whole, *items = [event for event in log.of(ev.StepStarted) if event.step_id != "first"][:3]
    assert (whole.step_id, whole.input, whole.item_count) == ("each", {"items": [5, 6]}, 2)
    assert [(event.step_id, event.item_index) for event in items] == [
        ("each[0]", 0),
        ("each[1]", 1),
    ]
    ends = [(e.step_id, e.item_index) for e in log.of(ev.StepCompleted) if e.item_index is not None]
    assert sorted(ends) == [("each[0]", 0), ("each[1]", 1)]


@pytest.mark.parametrize("at_once", [1, 3])
async def test_no_more_items_run_at_once_than_allowed(at_once: int) -> None:
    running, most = 0, 0

    async def counts(data: dict[str, Any]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await run(counts, list(range(20)), max_concurrency=at_once)

    assert most == at_once


async def test_a_failed_item_within_the_tolerance_is_named_in_its_place() -> None:
    result = await run(fails_at(1), [0, 1, 2], tolerated_failures=1)

    first, failed, last = results(result)["each"]
    assert (first, last) == (0, 2)
    assert failed == {
        "step_error": True, "error_message": "no 1", "error_type": "ValueError",
        "step_name": "each[1]", "item_index": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("share", "fails"), [("25%", False), ("24.9%", True), ("0%", True)])
async def test_a_share_of_the_items_may_fail(share: str, fails: bool) -> None:
    running = run(fails_at(1), [0, 1, 2, 3], tolerated_failures=share)
    if fails:
        with pytest.raises(RunFailed, match="1 of 4 items failed"):
            await running
    else:
        assert (await running)["output"]["done"]


async def test_one_failure_too_many_fails_the_map_with_the_items_named() -> None:
    with pytest.raises(RunFailed) as caught:
        await run(fails_at(3, 4), list(range(9)), tolerated_failures=1, max_concurrency=1)

    assert caught.value.error.type == "MapItemsFailed"
    assert "2 of 9 items failed (tolerated: 1): 3, 4. Item 3: ValueError: no 3" in str(caught.value)


async def test_after_one_failure_too_many_no_other_item_begins() -> None:
    log = KeptEvents()
    kept = Recorded(blueprint(fails_at(0), max_concurrency=2), log=log)

    await kept.run({"items": list(range(50))})

    assert len([event for event in log.of(ev.StepStarted) if event.item_index is not None]) <= 3
    assert isinstance(log.events[-1], ev.ExecutionFailed)


async def test_a_flow_that_goes_on_from_a_failed_map_waits_for_the_items_that_run() -> None:
    done: list[int] = []

    async def function(data: dict[str, Any]) -> None:
        if data["item"] == 0:
            raise ValueError("bad")
        for _ in range(5):
            await asyncio.sleep(0)
        done.append(data["item"])

    result = await run(
        function, list(range(9)), max_concurrency=3, error_handling={"continue_on_error": True}
    )

    assert done == [1, 2]
    assert results(result)["each"]["error"]["type"] == "MapItemsFailed"
    assert result["output"]["done"]


async def test_an_item_is_tried_again_by_itself() -> None:
    tries: dict[int, int] = {}

    def twice(data: dict[str, Any]) -> Any:
        tries[data["item"]] = tries.get(data["item"], 0) + 1
        if tries[data["item"]] < 3 and data["item"] == 1:
            raise ValueError("not yet")
        return tries[data["item"]]

    functions, flow, declared = of_map(twice, step={"error_handling": {"retry": {}}})
    pipeline = pipeline_of(functions, flow, of=declared, clock=ManualClock())
    result = await pipeline.run({"items": [0, 1]})

    assert results(result)["each"] == [1, 3]


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ("abc", "are a text; give a list"),
        ({"a": 1}, "are an object; give a list"),
        (None, "are null; give a list"),
        (7, "are a number; give a list"),
        ([0] * (MAX_ITEMS + 1), f"has {MAX_ITEMS + 1} items"),
    ],
    ids=["text", "object", "null", "number", "too many"],
)
async def test_what_is_no_list_to_go_through_fails_the_map(items: Any, problem: str) -> None:
    log = KeptEvents()
    kept = Recorded(blueprint(double), log=log)

    await kept.run({"items": items})

    end = log.events[-1]
    assert isinstance(end, ev.ExecutionFailed)
    assert end.error.type == "MapItemsRefused"
    assert problem in end.error.message
    assert len(log.events) < 8


async def test_items_may_be_equal() -> None:
    assert results(await run(double, [1, 1, 1]))["each"] == [2, 2, 2]


async def test_a_batch_is_one_visit() -> None:
    result = await run(lambda data: data["item"], [1, 2, 3], batch_size=2)

    assert results(result)["each"] == [[1, 2], [3]]


async def test_a_map_in_a_loop_goes_through_its_items_each_time() -> None:
    again = {"type": "expression", "source": "round", "operator": "<", "value": 2}
    rounds: list[int] = []

    def count(data: dict[str, Any]) -> Any:
        return {"round": data.get("round", 0) + 1}

    functions = {"count": count, "each": lambda data, step: rounds.append(step.context.iteration)}
    declared = {"each": {"type": "map", "items": [1, 2], "step": {}}}
    flow = paths("count > each", "each > count", each__count=again)
    await pipeline_of(functions, flow, of=declared).run({})

    assert rounds == [1, 1, 2, 2]


async def test_an_item_that_asks_a_person_waits_for_an_answer_to_itself() -> None:
    def asking(data: dict[str, Any]) -> Any:
        return {"status": "human_input_required", "prompt": "ok?"} if data["item"] else "free"

    functions, flow, declared = of_map(asking)
    pipeline = pipeline_of(functions, flow, of=declared)
    waiting = await pipeline.run({"items": [0, 1]})
    assert waiting["waiting_step"] == "each[1]"

    result = await pipeline.resume(waiting, {"ok": True})

    assert results(result)["each"][0] == "free"
    assert results(result)["each"][1]["ok"]


async def test_a_cancel_ends_the_map_and_its_open_items_on_record() -> None:
    async def for_ever(data: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    kept = Recorded(blueprint(for_ever, max_concurrency=2))
    running = asyncio.create_task(kept.run({"items": [1, 2, 3]}))
    await until(lambda: len(kept.log.of(ev.StepStarted)) == 4)

    kept.execution.cancel("enough")
    await running

    cancelled = {event.step_id for event in kept.log.of(ev.StepCancelled)}
    assert cancelled == {"each", "each[0]", "each[1]"}
    assert isinstance(kept.log.events[-1], ev.ExecutionCancelled)


@settings(max_examples=40, deadline=None)
@given(
    items=st.integers(0, 7),
    bad=st.sets(st.integers(0, 6), max_size=3),
    tolerated=st.integers(0, 3),
    at_once=st.integers(1, 4),
    data=st.data(),
)
async def test_a_crash_at_any_event_leads_to_the_same_end(
    items: int, bad: set[int], tolerated: int, at_once: int, data: st.DataObject
) -> None:
    plan = blueprint(fails_at(*bad), tolerated_failures=tolerated, max_concurrency=at_once)
    whole = Recorded(plan)
    await whole.run({"items": list(range(items))})
    before = whole.log.events

    cut = data.draw(st.integers(1, len(before) - 1))
    kept = KeptEvents()
    execution = Execution(plan, "e-1", kept, clock=ManualClock())
    state = folded(plan, before[:cut])
    if data.draw(st.booleans()):
        state = restore(snapshot(state), plan.plan, "e-1")
    await execution.resume_run(state)

    again = [*before[:cut], *kept.events]
    assert type(again[-1]) is type(before[-1])
    ends = [(e.step_id, e.iteration) for e in again if isinstance(e, ev.StepCompleted)]
    assert len(ends) == len(set(ends)), "nothing is completed twice on record"
    if isinstance(again[-1], ev.ExecutionCompleted):
        assert _output(again) == _output(before)


def _output(events: list[ev.Event]) -> Any:
    ended = (e for e in events if isinstance(e, ev.StepCompleted) and e.step_id == "each")
    return next(ended).output
