"""Rules 9 to 13: forks, joins, ends, loops."""

import asyncio
from typing import Any

import pytest

from executor_service import RunFailed
from steplog_contracts import events as ev
from tests.executor.flows import (
    ManualClock,
    Recorded,
    asks,
    blueprint_of,
    folded,
    order,
    passes,
    paths,
    result_of,
    results,
)

DIAMOND = paths("a > b", "a > c", "b > d", "c > d")


async def test_9_the_steps_of_a_fork_run_at_the_same_time() -> None:
    """Each of the two waits for the other to have begun, which in turns would never end."""
    meeting = asyncio.Barrier(2)

    async def meet(data: Any) -> dict[str, Any]:
        async with asyncio.timeout(5):
            await meeting.wait()
        return {}

    result = await result_of({"a": passes, "b": meet, "c": meet, "d": passes}, DIAMOND)

    assert sorted(order(result)) == ["a", "b", "c", "d"]


async def test_9_branches_never_see_each_others_writes_before_a_join() -> None:
    seen: dict[str, Any] = {}

    def look(name: str) -> Any:
        return lambda d: seen.update({name: (dict(d), d.get("b"), d.get("c"))})

    await result_of(
        {"a": passes, "b": lambda d: {"x": 1}, "c": lambda d: {"x": 2}, "b2": look("b2"),
         "c2": look("c2")},
        paths("a > b", "a > c", "b > b2", "c > c2"),
        {"x": 0},
    )  # fmt: skip

    assert seen["b2"] == ({"x": 1}, {"x": 1}, None)
    assert seen["c2"] == ({"x": 2}, None, {"x": 2})


async def test_10_a_join_runs_once_with_everything_its_branches_wrote() -> None:
    result = await result_of(
        {"a": passes, "b": lambda d: {"b_was": 1}, "c": lambda d: {"c_was": 2},
         "d": lambda d: {"sum": d["b_was"] + d["c_was"]}},
        DIAMOND,
    )  # fmt: skip

    assert order(result).count("d") == 1
    assert result["output"] == {"b_was": 1, "c_was": 2, "sum": 3}


@pytest.mark.parametrize(
    ("into_join", "expected"), [(("b > d", "c > d"), "c"), (("c > d", "b > d"), "b")]
)
async def test_10_changes_are_merged_in_the_order_their_paths_are_declared(
    into_join: tuple[str, str], expected: str
) -> None:
    async def slow(data: Any) -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"who": "b"}

    result = await result_of(
        {"a": passes, "b": slow, "c": lambda d: {"who": "c"}, "d": passes},
        paths("a > b", "a > c", *into_join),
    )

    assert result["output"]["who"] == expected


async def test_10_a_branch_that_passes_a_value_through_undoes_no_others_write() -> None:
    result = await result_of(
        {"a": passes, "b": lambda d: {"x": 1}, "c": lambda d: {**d, "y": 2}, "d": passes},
        DIAMOND,
        {"x": 0},
    )

    assert result["output"] == {"x": 1, "y": 2}


async def test_10_a_join_waits_for_the_longer_branch() -> None:
    result = await result_of(
        {"a": passes, "b": passes, "c1": passes, "c2": passes, "c3": passes, "d": passes},
        paths("a > b", "a > c1", "b > d", "c1 > c2", "c2 > c3", "c3 > d"),
    )

    assert order(result) == ["a", "b", "c1", "c2", "c3", "d"]


async def test_10_a_branch_not_taken_never_blocks_a_join() -> None:
    result = await result_of(
        {"a": passes, "b": passes, "c": passes, "d": passes},
        paths("a > b", "a > c", "b > d", "c > d", a__c=asks("go")),
        {"go": False},
    )

    assert order(result) == ["a", "b", "d"]


async def test_10_a_branch_that_ended_elsewhere_never_blocks_a_join() -> None:
    result = await result_of(
        {"a": passes, "b": passes, "c": lambda d: {"left": True}, "c2": passes, "d": passes},
        paths("a > b", "a > c", "b > d", "c > c2", "c2 > d", c__c2=asks("left", value=False)),
    )

    assert order(result) == ["a", "b", "c", "d"]
    assert result["output"] == {"left": True}


async def test_10_joins_nest() -> None:
    result = await result_of(
        {"a": passes, "b": passes, "b1": lambda d: {"b1": 1}, "b2": lambda d: {"b2": 1},
         "bj": lambda d: {"inner": sorted(d)}, "c": lambda d: {"c_was": 1},
         "j": lambda d: {"outer": sorted(d)}},
        paths("a > b", "a > c", "b > b1", "b > b2", "b1 > bj", "b2 > bj", "bj > j", "c > j"),
    )  # fmt: skip

    assert result["output"]["inner"] == ["b1", "b2"]
    assert result["output"]["outer"] == ["b1", "b2", "c_was", "inner"]


async def test_10_a_long_chain_of_diamonds_leaves_no_level_behind() -> None:
    functions: dict[str, Any] = {"a0": passes}
    flow = []
    for i in range(300):
        functions |= {f"b{i}": passes, f"c{i}": passes, f"a{i + 1}": passes}
        flow += [f"a{i} > b{i}", f"a{i} > c{i}", f"b{i} > a{i + 1}", f"c{i} > a{i + 1}"]

    outcome = await Recorded(blueprint_of(functions, paths(*flow))).run()

    assert outcome.state.final_scope().depth == 0


async def test_11_a_branch_whose_paths_all_fail_ends_and_others_go_on() -> None:
    result = await result_of(
        {"a": passes, "b": passes, "b2": passes, "c": lambda d: {"c_was": 1}},
        paths("a > b", "a > c", "b > b2", b__b2=asks("never")),
    )

    assert order(result) == ["a", "b", "c"]
    assert result["output"] == {"c_was": 1}


@pytest.mark.parametrize("end", ["end", "end_with_success", "end_early"])
async def test_12_end_markers_end_the_branch_successfully(end: str) -> None:
    result = await result_of({"a": lambda d: {"x": 1}}, paths(f"a > {end}"))

    assert result["output"] == {"x": 1}


async def test_12_end_with_failure_fails_the_run_and_cancels_its_other_branches() -> None:
    async def for_long(data: Any) -> None:
        await asyncio.sleep(60)

    blueprint = blueprint_of(
        {"a": passes, "b": passes, "c": for_long},
        paths("a > b", "a > c", "b > end_with_failure"),
    )
    recorded = Recorded(blueprint)

    outcome = await recorded.run()

    assert outcome.status == "failed"
    assert [event.step_id for event in recorded.log.of(ev.StepCancelled)] == ["c"]


async def test_12_a_declared_step_whose_id_begins_with_end_is_a_step() -> None:
    result = await result_of({"a": passes, "end_report": lambda d: {"x": 1}},
                             paths("a > end_report"))  # fmt: skip

    assert result["output"] == {"x": 1}


COUNT = {"count": lambda d: {"n": d.get("n", 0) + 1}}
AGAIN = paths("count > count", count__count=asks("n", "<", 5))


async def test_13_a_loop_runs_until_its_condition_ends_it() -> None:
    result = await result_of(COUNT, AGAIN)

    assert result["output"] == {"n": 5}
    assert order(result) == ["count"] * 5


async def test_13_max_iterations_fails_the_run_naming_step_and_bound() -> None:
    with pytest.raises(RunFailed, match=r"'count'.*max_iterations is 3"):
        await result_of(COUNT, AGAIN, loop_config={"max_iterations": 3})


async def test_13_a_hundred_runs_of_one_step_are_the_bound_by_default() -> None:
    with pytest.raises(RunFailed, match="max_iterations is 100") as caught:
        await result_of(COUNT, paths("count > count"))

    assert len(caught.value.result["steps"]) == 100


async def test_13_iteration_delay_is_slept_once_for_each_round() -> None:
    clock = ManualClock()

    await result_of(
        {"a": passes, "b": lambda d: {"n": d.get("n", 0) + 1}},
        paths("a > b", "b > a", b__a=asks("n", "<", 4)),
        clock=clock,
        loop_config={"iteration_delay_seconds": 2.5},
    )

    assert clock.slept_s == [2.5, 2.5, 2.5]


async def test_13_max_loop_time_fails_the_run() -> None:
    clock = ManualClock()

    with pytest.raises(RunFailed, match="max_loop_time_seconds is 5"):
        await result_of(
            COUNT, paths("count > count"), clock=clock,
            loop_config={"iteration_delay_seconds": 2, "max_loop_time_seconds": 5},
        )  # fmt: skip

    assert clock.slept_s == [2, 2, 2]


async def test_13_a_flow_without_cycles_has_no_cap_on_its_steps() -> None:
    result = await result_of(
        {f"s{i}": passes for i in range(1500)},
        paths(*(f"s{i} > s{i + 1}" for i in range(1499))),
    )

    assert len(result["steps"]) == 1500


async def test_13_a_fork_and_join_inside_a_loop_join_in_each_round() -> None:
    result = await result_of(
        {"a": lambda d: {"n": d.get("n", 0) + 1}, "b": lambda d: {"b_n": d["n"]},
         "c": lambda d: {"c_n": d["n"]}, "d": passes},
        [*DIAMOND, *paths("d > a", d__a=asks("n", "<", 3))],
    )  # fmt: skip

    assert order(result).count("d") == 3
    assert result["output"] == {"n": 3, "b_n": 3, "c_n": 3}


async def test_13_two_steps_of_a_cycle_that_wait_for_each_other_begin_in_declared_order() -> None:
    """Each could still be reached by the branch that stands at the other."""
    result = await result_of(
        {"a": passes, "x": lambda d: {"x_n": d.get("x_n", 0) + 1}, "y": passes},
        paths("a > x", "a > y", "x > y", "y > x", y__x=asks("x_n", "<", 2)),
    )

    assert order(result) == ["a", "x", "y", "x", "y"]


async def test_13_a_branch_that_may_loop_back_over_a_fork_is_waited_for() -> None:
    """So a step has never two visits open at once."""
    result = await result_of(
        {"a": passes, "b": passes, "c": lambda d: {"n": d.get("n", 0) + 1}},
        paths("a > b", "a > c", "c > a", c__a=asks("n", "<", 3)),
    )

    assert order(result) == ["a", "c", "a", "c", "a", "c", "b"]


async def test_results_of_a_loop_are_those_of_the_last_round() -> None:
    assert results(await result_of(COUNT, AGAIN)) == {"count": {"n": 5}}


async def test_9_a_branch_reads_the_results_from_before_its_fork() -> None:
    result = await result_of(
        {"a0": lambda d: [7], "a": passes, "b": passes, "b2": lambda d: {"seen": d["a0"]},
         "c": passes},
        paths("a0 > a", "a > b", "a > c", "b > b2", b__b2=asks("step_results.a0.0", "==", 7)),
    )  # fmt: skip

    assert result["output"] == {"seen": [7]}


async def test_10_a_join_reads_the_results_of_all_its_branches() -> None:
    result = await result_of(
        {"a": passes, "b": lambda d: 1, "c": lambda d: 2, "d": lambda d: {"sum": d["b"] + d["c"]}},
        DIAMOND,
    )

    assert result["output"] == {"sum": 3}


@pytest.mark.parametrize("also_straight", [True, False], ids=["a straight path too", "one way"])
async def test_10_a_write_that_saw_another_one_stands_at_every_later_join(
    also_straight: bool,
) -> None:
    straight = ["extract > load"] if also_straight else []

    result = await result_of(
        {
            "extract": passes,
            "transform": lambda d: {"k": "transform"},
            "load": lambda d: {"k": d["k"] + ", load"},
            "report": passes,
        },
        paths("transform > load", "extract > transform", *straight, "transform > report"),
        start_at="extract",
    )

    assert result["output"]["k"] == "transform, load"


async def test_10_a_join_recorded_under_another_rule_keeps_what_is_on_record() -> None:
    functions = {
        "a": passes, "b": lambda d: {"k": "b"}, "c": lambda d: {"k": "c"},
        "d": lambda d: {"seen": d["k"]}, "e": lambda d: {"later": d["k"]},
    }  # fmt: skip
    blueprint = blueprint_of(functions, paths("a > b", "a > c", "b > d", "c > d", "d > e"))
    first = Recorded(blueprint)
    await first.run()
    names = first.log.names()
    kept = first.log.events[: names.index("StepStarted d") + 1]
    kept[-1] = kept[-1].model_copy(update={"input": {"k": "b"}})
    after = Recorded(blueprint)

    outcome = await after.execution.resume_run(folded(blueprint, kept))

    assert outcome.output == {"k": "b", "seen": "b", "later": "b"}
