"""Routes by outcome: `catch`, `join`, `end_all` and `switch`."""

import asyncio
import json
from typing import Any

import pytest

from executor_service import Allowlist, DefinitionRefused, RunFailed
from executor_service.definitions.blueprint import compile_flow
from executor_service.engine.snapshot import restore, snapshot
from steplog_contracts import events as ev
from tests.executor.flows import (
    Recorded,
    asks,
    blueprint_of,
    folded,
    order,
    passes,
    paths,
    result_of,
    results,
    until,
)


class NotFound(LookupError):
    """What a test's step raises."""


def raising(error: BaseException) -> Any:
    """Return a step's function that raises."""

    def run(data: Any) -> Any:
        raise error

    return run


def catching(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the keys of a step `a` that catches."""
    return {"a": {"catch": list(entries), **more}}


def refused(functions: dict[str, Any], flow: Any, **more: Any) -> dict[str, str]:
    """Return what is wrong with a flow, by place."""
    with pytest.raises(DefinitionRefused) as caught:
        blueprint_of(functions, flow, **more)
    return {problem.json_path: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("error", "errors", "caught"),
    [
        (NotFound("x"), ["NotFound"], True),
        (NotFound("x"), ["LookupError"], True),
        (NotFound("x"), ["tests.executor.engine.test_routes.NotFound"], True),
        (NotFound("x"), ["KeyError", "Exception"], True),
        (NotFound("x"), ["*"], True),
        (NotFound("x"), ["KeyError"], False),
        (NotFound("x"), ["LogMatch"], False),
        (SystemExit(3), ["SystemExit"], True),
        (ExceptionGroup("g", [NotFound("x"), KeyError("y")]), ["LookupError"], True),
        (ExceptionGroup("g", [NotFound("x"), ValueError("y")]), ["LookupError"], False),
    ],
)
async def test_an_error_is_caught_by_its_class_or_a_base_of_it(
    error: BaseException, errors: list[str], caught: bool
) -> None:
    running = result_of(
        {"a": raising(error), "after": passes, "mend": passes},
        paths("a > after"),
        of=catching({"errors": errors, "to": "mend"}),
    )

    if caught:
        assert order(await running) == ["a", "mend"]
    else:
        with pytest.raises(RunFailed):
            await running


async def test_the_first_entry_that_fits_is_taken_and_no_path_beside_it() -> None:
    result = await result_of(
        {"a": raising(NotFound("x")), "after": passes, "one": passes, "two": passes},
        paths("a > after", "a > one", a__one=asks("result.error", "exists")),
        of=catching({"errors": ["KeyError"], "to": "two"}, {"errors": ["LookupError"], "to": "one"},
                    {"errors": ["*"], "to": "two"}, error_handling={"continue_on_error": True}),
    )  # fmt: skip

    assert order(result) == ["a", "one"]


async def test_without_an_entry_that_fits_continue_on_error_goes_on() -> None:
    result = await result_of(
        {"a": raising(ValueError("x")), "after": passes, "mend": passes},
        paths("a > after"),
        of=catching({"errors": ["KeyError"], "to": "mend"},
                    error_handling={"continue_on_error": True}),
    )  # fmt: skip

    assert order(result) == ["a", "after"]


async def test_a_step_that_succeeds_takes_none_of_its_catches() -> None:
    result = await result_of(
        {"a": passes, "mend": passes}, [], of=catching({"errors": ["*"], "to": "mend"})
    )

    assert order(result) == ["a"]


async def test_the_error_stands_under_the_step_and_where_as_asks_for_it() -> None:
    seen: list[Any] = []
    result = await result_of(
        {"a": raising(NotFound("no row")), "mend": lambda data: seen.append(dict(data)) or {}},
        [],
        {"x": 1},
        of=catching({"errors": ["*"], "to": "mend", "as": "problem"}),
    )

    problem = {"type": "NotFound", "message": "no row", "step_id": "a", "attempt": 1}
    assert seen == [{"x": 1, "problem": problem}]
    assert results(result)["a"] == {"error": problem}


async def test_a_catch_comes_after_retries_and_the_path_taken_is_recorded() -> None:
    recorded = Recorded(
        blueprint_of({"a": raising(NotFound("x")), "b": passes, "mend": passes}, paths("a > b"),
                     of=catching({"errors": ["NotFound"], "to": "mend"},
                                 error_handling={"retry": {"max_attempts": 3}})))  # fmt: skip

    await recorded.run()

    [failed] = recorded.log.of(ev.StepFailed)
    assert len(recorded.log.of(ev.StepAttemptFailed)) == 2
    assert (failed.continued, failed.taken) == (True, (1,))
    assert recorded.blueprint.plan.paths[1].to_id == "mend"


async def test_a_timeout_is_caught_by_its_name() -> None:
    async def for_long(data: Any) -> None:
        await asyncio.sleep(60)

    result = await result_of(
        {"a": for_long, "mend": passes}, [],
        of=catching({"errors": ["StepTimedOut"], "to": "mend"},
                    error_handling={"timeout_seconds": 0.01}))  # fmt: skip

    assert order(result) == ["a", "mend"]


async def test_a_catch_may_lead_to_an_end() -> None:
    running = result_of(
        {"a": raising(NotFound("x"))}, [],
        of=catching({"errors": ["*"], "to": "end_with_failure"}))  # fmt: skip

    with pytest.raises(RunFailed, match="end_with_failure"):
        await running


async def test_a_catch_that_leads_back_is_bounded() -> None:
    calls: list[int] = []

    def fails(data: Any) -> Any:
        calls.append(1)
        raise NotFound("x")

    with pytest.raises(RunFailed, match="max_iterations"):
        await result_of({"a": fails}, [], of=catching({"errors": ["*"], "to": "a"}),
                        loop_config={"max_iterations": 4})  # fmt: skip

    assert len(calls) == 4


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ({"catch": [{"errors": [], "to": "b"}]}, "$.steps[0].catch[0].errors"),
        ({"catch": [{"errors": ["*"]}]}, "$.steps[0].catch[0].to"),
        ({"catch": [{"errors": ["*"], "to": "nowhere"}]}, "$.steps[0].catch[0].to"),
        ({"catch": [{"errors": ["*"], "to": "b", "ass": "x"}]}, "$.steps[0].catch[0].ass"),
        ({"catch": [{"errors": ["*"], "to": "b"}, {"errors": ["A"], "to": "b"}]},
         "$.steps[0].catch[1]"),
        ({"join": {"when": 3}}, "$.steps[0].join.when"),
        ({"join": {"when": 0}}, "$.steps[0].join.when"),
        ({"join": {"when": "most"}}, "$.steps[0].join.when"),
        ({"join": {"rest": "cancel"}}, "$.steps[0].join.rest"),
        ({"type": "switch", "cases": []}, "$.steps[0].default"),
        ({"type": "switch", "cases": [], "default": "b"}, "$.steps[0].cases"),
        ({"type": "switch", "cases": [{"condition": asks("x"), "to": "z"}], "default": "b"},
         "$.steps[0].cases[0].to"),
        ({"type": "switch", "cases": [{"condition": asks("result.x"), "to": "b"}], "default": "b"},
         "$.steps[0].cases[0].condition"),
        ({"type": "switch", "cases": [{"condition": {"type": "field_equals", "field": "x",
                                                     "value": 1, "feild": 1}, "to": "b"}],
          "default": "b"}, "$.steps[0].cases[0].condition.feild"),
        ({"type": "switch", "cases": [{"condition": asks("x"), "to": "b"}], "default": "b"},
         "$.flow.paths[0].from_step"),
    ],
)  # fmt: skip
def test_what_can_have_no_meaning_is_refused(step: dict[str, Any], place: str) -> None:
    assert place in refused({"a": passes, "b": passes}, paths("a > b"), of={"a": step})


@pytest.mark.parametrize(("n", "to"), [(1, "small"), (5, "large"), (50, "huge"), (None, "other")])
async def test_a_switch_goes_the_first_way_whose_condition_holds(n: Any, to: str) -> None:
    cases = [
        {"condition": asks("n", ">", 10), "to": "huge"},
        {"condition": asks("n", ">", 3), "to": "large"},
        {"condition": asks("n", "exists"), "to": "small"},
    ]
    result = await result_of(
        {"way": passes, "huge": passes, "large": passes, "small": passes, "other": passes},
        [],
        {} if n is None else {"n": n},
        of={"way": {"type": "switch", "cases": cases, "default": "other"}},
    )

    assert order(result) == ["way", to]
    assert results(result)["way"] == to


class Gates:
    """Steps that end when they are let, and how they were ended."""

    def __init__(self) -> None:
        self.gates: dict[str, asyncio.Event] = {}
        self.running: set[str] = set()
        self.cancelled: list[str] = []

    def step(self, name: str) -> Any:
        self.gates[name] = asyncio.Event()

        async def run(data: Any) -> dict[str, Any]:
            self.running.add(name)
            try:
                await self.gates[name].wait()
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
            return {name: 1}

        return run


def racing(gates: Gates, join: dict[str, Any], **more: Any) -> Recorded:
    """Return three branches that race to a join."""
    steps = {"start": passes, **{name: gates.step(name) for name in ("a", "b", "c")}}
    return Recorded(
        blueprint_of(
            {**steps, "first": lambda data: {"seen": sorted(data)}, "after": passes},
            paths("start > a", "start > b", "start > c", "a > first", "b > first", "c > first",
                  "first > after"),
            of={"first": {"join": join}}, **more,
        )
    )  # fmt: skip


async def test_a_join_of_any_begins_with_the_first_branch_and_cancels_the_rest() -> None:
    gates = Gates()
    recorded = racing(gates, {"when": "any"})
    running = asyncio.ensure_future(recorded.run())
    await until(lambda: gates.running == {"a", "b", "c"})
    gates.gates["b"].set()

    outcome = await running

    assert outcome.output == {"b": 1, "seen": ["b"]}
    assert sorted(gates.cancelled) == ["a", "c"]
    cancelled = recorded.log.of(ev.StepCancelled)
    assert {(event.step_id, event.superseded_by) for event in cancelled} == {
        ("a", "first"), ("c", "first")
    }  # fmt: skip
    names = recorded.log.names()
    assert names.index("StepCancelled c") < names.index("StepStarted first")


async def test_a_join_of_two_waits_for_two() -> None:
    gates = Gates()
    recorded = racing(gates, {"when": 2})
    running = asyncio.ensure_future(recorded.run())
    await until(lambda: gates.running == {"a", "b", "c"})
    gates.gates["c"].set()
    await until(lambda: "StepCompleted c" in recorded.log.names())
    assert "StepStarted first" not in recorded.log.names()
    gates.gates["a"].set()

    outcome = await running

    assert outcome.output == {"a": 1, "c": 1, "seen": ["a", "c"]}
    assert gates.cancelled == ["b"]


async def test_what_is_left_runs_on_ends_at_the_join_and_holds_nothing_back() -> None:
    gates = Gates()
    recorded = racing(gates, {"when": "any", "rest": "leave"})
    running = asyncio.ensure_future(recorded.run())
    await until(lambda: gates.running == {"a", "b", "c"})
    gates.gates["b"].set()
    await until(lambda: "StepCompleted after" in recorded.log.names())
    gates.gates["a"].set()
    gates.gates["c"].set()

    outcome = await running

    assert outcome.output == {"a": 1, "b": 1, "c": 1, "seen": ["b"]}
    assert recorded.log.names().count("StepStarted first") == 1
    assert gates.cancelled == []


async def test_a_join_that_can_get_no_more_begins_with_what_came() -> None:
    result = await result_of(
        {"start": passes, "a": lambda d: {"a": 1}, "b": passes, "j": passes},
        paths("start > a", "start > b", "a > j", "b > j", start__b=asks("never")),
        of={"j": {"join": {"when": 2}}},
    )

    assert order(result) == ["start", "a", "j"]


async def test_a_race_in_a_loop_is_run_anew_in_each_round() -> None:
    rounds = {"count": 0}

    def count(data: Any) -> dict[str, Any]:
        rounds["count"] += 1
        return {"round": rounds["count"]}

    result = await result_of(
        {"start": passes, "a": passes, "b": passes, "j": count},
        paths("start > a", "start > b", "a > j", "b > j", "j > start",
              j__start=asks("round", "<", 3)),
        of={"j": {"join": {"when": "any", "rest": "leave"}}},
    )  # fmt: skip

    assert order(result).count("j") == 3


async def test_end_all_completes_the_execution_and_cancels_the_rest() -> None:
    gates = Gates()
    recorded = Recorded(
        blueprint_of(
            {"start": passes, "a": gates.step("a"), "b": gates.step("b"), "tail": passes},
            paths("start > a", "start > b", "a > end_all", "b > tail"),
        )
    )
    running = asyncio.ensure_future(recorded.run({"x": 1}))
    await until(lambda: gates.running == {"a", "b"})
    gates.gates["a"].set()

    outcome = await running

    assert (outcome.status, outcome.output) == ("completed", {"x": 1, "a": 1})
    assert gates.cancelled == ["b"]
    [cancelled] = recorded.log.of(ev.StepCancelled)
    assert (cancelled.step_id, cancelled.superseded_by) == ("b", "end_all")
    assert recorded.log.names()[-1] == "ExecutionCompleted"


def test_end_all_was_an_end_like_any_in_the_first_language() -> None:
    new = blueprint_of({"a": passes}, paths("a > end_all"))
    old = compile_flow(new.definition, Allowlist(), is_recorded=True, language=1)

    assert (old.plan.paths[0].end, new.plan.paths[0].end) == ("success", "all")


@pytest.mark.parametrize("rest", ["cancel", "leave"])
async def test_a_race_cut_anywhere_ends_as_it_would_have(rest: str) -> None:
    gates = Gates()
    recorded = racing(gates, {"when": "any", "rest": rest})
    running = asyncio.ensure_future(recorded.run())
    await until(lambda: gates.running == {"a", "b", "c"})
    gates.gates["b"].set()
    await until(lambda: "StepCompleted first" in recorded.log.names())
    for gate in gates.gates.values():
        gate.set()
    whole = await running
    events = recorded.log.events
    for cut in range(1, len(events)):
        state = folded(recorded.blueprint, events[:cut])
        if cut % 2:
            saved = json.loads(json.dumps(snapshot(state)))
            state = restore(saved, recorded.blueprint.plan, "e-1")
        after = Recorded(recorded.blueprint)

        outcome = await after.execution.resume_run(state)

        assert outcome.status == "completed"
        assert outcome.output["seen"] == whole.output["seen"] or cut < len(events) - 6
        ends = [
            (event.step_id, event.iteration)
            for event in events[:cut] + after.log.events
            if isinstance(event, (ev.StepCompleted, ev.StepFailed))
        ]
        assert len(ends) == len(set(ends))
