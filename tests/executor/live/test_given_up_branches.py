"""What is open in a branch that nothing waits for any more ends with it: children, waits, items."""

from typing import Any

import pytest

from executor_service.engine.child_plan import child_id_of
from steplog_contracts.commands import ResumeExecution
from steplog_contracts.events import Event, StepCancelled, StepCompleted
from tests.executor.support import people_steps
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import Owning, linear

STEPS = people_steps.__name__
ENDS = ("join", "end_all")


def task(step_id: str, name: str) -> dict[str, Any]:
    """Return a step of a class of `people_steps`."""
    return {"id": step_id, "module": STEPS, "step_class": name}


def race(other: dict[str, Any], end: str) -> dict[str, Any]:
    """Return a flow whose branch of a question comes to an end that gives the other one up."""
    steps = [
        {"id": "begin", "type": "noop"}, task("asks", "Ask"), {"id": "other", **other},
        {"id": "behind", "type": "noop"},
    ]  # fmt: skip
    ways = [("begin", "asks"), ("begin", "other")]
    if end == "join":
        steps[-1]["join"] = {"when": "any"}
        ways += [("asks", "behind"), ("other", "behind")]
    else:
        ways += [("asks", "end_all"), ("other", "behind")]
    paths = [{"from": one, "to": two} for one, two in ways]
    return {"name": "race", "steps": steps, "flow": {"start_at": "begin", "paths": paths}}


async def begun(other: dict[str, Any], end: str) -> Owning:
    """Return an owner under which e-1 stands at both branches."""
    owning = await Owning().begin()
    await owning.run_definition("e-1", race(other, end))
    await rounds()
    return owning


async def rounds() -> None:
    """Let everything happen that can."""
    for _ in range(4):
        await settle()


def cancelled(history: list[Event]) -> list[str]:
    """Return the visits that were cancelled."""
    return sorted(event.step_id for event in history if isinstance(event, StepCancelled))


async def answered(owning: Owning) -> None:
    """Answer the question, so that its branch goes on."""
    await owning.send(ResumeExecution(execution_id="e-1", step_id="asks"))
    await rounds()


CHILD = {"type": "pipeline", "definition": linear("Quick", "Ask")}
OPEN: dict[str, dict[str, Any]] = {
    "a child": CHILD,
    "a question": task("other", "Ask"),
    "a wait": {"type": "wait", "seconds": 86_400},
    "a running step": task("other", "Forever"),
    "an attempt to come": task("other", "Failing")
    | {"error_handling": {"retry": {"initial_delay": 600, "max_delay": 600}}},
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", OPEN)
async def test_what_is_open_is_cancelled_and_the_execution_completes(kind: str, end: str) -> None:
    owning = await begun(OPEN[kind], end)

    await answered(owning)

    assert cancelled(owning.history("e-1")) == ["other"]
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"
    assert owning.refusals() == []
    if kind == "a child":
        assert owning.kinds(child())[-1] == "ExecutionCancelled"


def child(step_id: str = "other") -> str:
    """Return the id of the child that a step of e-1 began."""
    return child_id_of("e-1", step_id, 1, 1)


@pytest.mark.parametrize("end", ENDS)
async def test_a_question_that_is_given_up_takes_no_answer(end: str) -> None:
    owning = await begun(OPEN["a question"], end)
    await answered(owning)

    await owning.send(ResumeExecution(execution_id="e-1", step_id="other"), "late")

    assert owning.refusals() == [("late", "execution_ended")]


@pytest.mark.parametrize("end", ENDS)
async def test_the_items_of_a_map_and_their_questions_are_cancelled_with_it(end: str) -> None:
    step = {"module": STEPS, "step_class": "Ask"}
    owning = await begun({"type": "map", "items": [1, 2, 3], "max_concurrency": 2, "step": step},
                         end)  # fmt: skip

    await answered(owning)

    assert cancelled(owning.history("e-1")) == ["other", "other[0]", "other[1]"]
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_child_that_is_to_be_left_runs_on() -> None:
    owning = await begun(CHILD | {"on_parent_end": "leave"}, "join")

    await answered(owning)
    await owning.resume(child(), ok=True)
    await rounds()

    assert owning.kinds(child())[-1] == "ExecutionCompleted"
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_child_is_called_off_while_the_flow_goes_on_behind_the_join() -> None:
    definition = race(CHILD, "join")
    definition["steps"].append(task("last", "Ask"))
    definition["flow"]["paths"].append({"from": "behind", "to": "last"})
    owning = await Owning().begin()
    await owning.run_definition("e-1", definition)
    await rounds()

    await answered(owning)

    assert owning.kinds("e-1")[-1] == "StepWaiting"
    assert owning.kinds(child())[-1] == "ExecutionCancelled"


@pytest.mark.parametrize("end", ENDS)
async def test_a_crash_anywhere_around_it_calls_the_child_off_and_completes(end: str) -> None:
    owning = await begun(CHILD, end)
    await answered(owning)
    whole, commands = list(owning.events.partitions[0]), list(owning.commands)
    ended = len(whole)
    for kept in range(ended - 8, ended):
        owning.events.partitions[0] = whole[:kept]
        again = Owning(owning.events, owning.parked, owning.clock, commands=list(commands))
        await again.begin()
        await rounds()

        ends = [e for e in again.history("e-1") if isinstance(e, StepCompleted)]
        assert again.kinds("e-1")[-1] == "ExecutionCompleted"
        assert again.kinds(child())[-1] == "ExecutionCancelled"
        assert "other" not in {event.step_id for event in ends}
        assert again.kinds("e-1").count("ExecutionCompleted") == 1
