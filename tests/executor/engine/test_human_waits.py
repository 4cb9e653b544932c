"""Rule 22: steps that wait for people."""

import json
from datetime import timedelta
from typing import Any

import pytest

from executor_service import CommandNotApplicable, Pipeline, RunFailed
from steplog_contracts import events as ev
from tests.executor.flows import (
    FunctionStep,
    ManualClock,
    Recorded,
    asks,
    blueprint_of,
    folded,
    order,
    passes,
    paths,
    pipeline_of,
)


def question(**more: Any) -> dict[str, Any]:
    """Return the result of a step that asks a person."""
    return {"status": "human_input_required", "prompt": "Go on?", **more}


def approval(**more: Any) -> Pipeline:
    """Return a pipeline that goes to `yes` or `no` as a person says."""
    asked = more.pop("asked", {})
    return pipeline_of(
        {"draft": lambda d: {"text": "t"}, "ask": lambda d: question(**asked),
         "yes": lambda d: {"done": d["approved"]}, "no": passes},
        paths("draft > ask", "ask > yes", "ask > no", ask__yes=asks("result.approved"),
              ask__no=asks("result.approved", "not_equals")),
        **more,
    )  # fmt: skip


async def test_22_a_question_pauses_the_run() -> None:
    waiting = await approval(asked={"ui_schema": {"type": "object"}}).run({"x": 1})

    assert waiting["status"] == "waiting_for_human"
    assert waiting["waiting_step"] == "ask"
    assert waiting["interaction_id"]
    assert waiting["output"]["prompt"] == "Go on?"
    assert [step["status"] for step in waiting["steps"]] == ["completed", "waiting_for_human"]


@pytest.mark.parametrize(("approved", "last"), [(True, "yes"), (False, "no")])
async def test_22_a_resume_follows_the_conditions_of_the_answer(approved: bool, last: str) -> None:
    pipeline = approval()
    waiting = await pipeline.run({"x": 1})

    result = await pipeline.resume(waiting, {"approved": approved})

    assert order(result) == ["draft", "ask", last]
    assert result["output"]["approved"] is approved
    assert result["output"]["text"] == "t"
    assert result["steps"][1]["result"] == {"prompt": "Go on?", "approved": approved}


async def test_22_a_waiting_result_may_be_stored_and_resumed_by_another_process() -> None:
    waiting = json.loads(json.dumps(await approval().run({"x": 1})))

    result = await approval().resume(waiting, {"approved": True})

    assert result["output"]["done"] is True
    assert result["input"] == {"x": 1}


async def test_22_a_second_resume_of_the_same_wait_is_refused() -> None:
    pipeline = approval()
    waiting = await pipeline.run()
    await pipeline.resume(waiting, {"approved": True})

    with pytest.raises(CommandNotApplicable, match="answered already"):
        await pipeline.resume(waiting, {"approved": False})


TWO = {"a": passes, "b": lambda d: question(), "c": lambda d: question(), "e": passes,
       "j": lambda d: {"both": [d.get("b_says"), d.get("c_says")]}}  # fmt: skip
TWO_PATHS = paths("a > b", "a > c", "a > e", "b > j", "c > j", "e > j")


async def test_22_siblings_go_on_and_several_steps_may_wait_at_once() -> None:
    pipeline = pipeline_of(TWO, TWO_PATHS)

    waiting = await pipeline.run()

    assert [wait["step_id"] for wait in waiting["waiting_steps"]] == ["b", "c"]
    assert "e" in order(waiting)


async def test_22_a_resume_names_the_step_if_several_wait() -> None:
    pipeline = pipeline_of(TWO, TWO_PATHS)
    waiting = await pipeline.run()

    with pytest.raises(CommandNotApplicable, match="name one of: b, c") as caught:
        await pipeline.resume(waiting, {})

    assert caught.value.code == "step_required"


async def test_22_each_wait_is_resumed_in_its_own_time() -> None:
    pipeline = pipeline_of(TWO, TWO_PATHS)
    waiting = await pipeline.run()

    still_waiting = await pipeline.resume(waiting, {"c_says": 2}, step_id="c")
    result = await pipeline.resume(still_waiting, {"b_says": 1})

    assert still_waiting["waiting_step"] == "b"
    assert result["output"]["both"] == [1, 2]


async def test_22_a_step_that_does_not_wait_can_not_be_resumed() -> None:
    pipeline = approval()
    waiting = await pipeline.run()

    with pytest.raises(CommandNotApplicable) as caught:
        await pipeline.resume(waiting, {}, step_id="draft")

    assert caught.value.code == "not_waiting"


async def test_22_an_expired_wait_fails_the_step() -> None:
    clock = ManualClock()
    recorded = Recorded(
        blueprint_of({"a": lambda d: question(timeout_seconds=60)}, []), clock, park=False
    )

    outcome = await recorded.run()

    assert outcome.error is not None
    assert outcome.error.type == "WaitExpired"
    assert clock.slept_s == [60]
    assert recorded.log.of(ev.StepResumed)[0].timed_out


async def test_22_an_expired_wait_follows_a_path_that_asks_for_it() -> None:
    blueprint = blueprint_of(
        {"a": lambda d: question(timeout_seconds=60), "late": passes, "done": passes},
        paths("a > late", "a > done", a__late=asks("result.timed_out"),
              a__done=asks("result.timed_out", "not_exists")),
    )  # fmt: skip
    recorded = Recorded(blueprint, park=False)

    outcome = await recorded.run()

    assert outcome.status == "completed"
    assert recorded.log.names()[-3:] == ["StepCompleted late", "StepSkipped done",
                                         "ExecutionCompleted"]  # fmt: skip


async def test_22_a_fallback_may_answer_for_an_expired_wait() -> None:
    step = FunctionStep(
        "a", lambda d: question(timeout_seconds=1), lambda data, error: {"late": str(error)}
    )
    blueprint = blueprint_of(
        {"a": step}, [], of={"a": {"error_handling": {"enable_fallback": True}}}
    )

    outcome = await Recorded(blueprint, park=False).run()

    assert "expired" in outcome.output["late"]


async def test_22_an_answer_after_the_expiry_is_refused() -> None:
    clock = ManualClock()
    pipeline = approval(asked={"timeout_seconds": 60}, clock=clock)
    waiting = await pipeline.run()
    clock.go_forward(61)

    with pytest.raises(CommandNotApplicable) as caught:
        await pipeline.resume(waiting, {"approved": True})
    with pytest.raises(RunFailed, match="WaitExpired"):
        await pipeline.go_on(waiting)

    assert caught.value.code == "wait_expired"


async def test_22_an_answer_that_breaks_the_steps_schema_is_refused_and_the_wait_stays() -> None:
    schema = {"properties": {"approved": {"type": "boolean"}}}
    pipeline = approval(of={"ask": {"output_schema": schema}})
    waiting = await pipeline.run()

    with pytest.raises(CommandNotApplicable, match="output_schema") as caught:
        await pipeline.resume(waiting, {"approved": "perhaps"})
    result = await pipeline.resume(waiting, {"approved": True})

    assert caught.value.code == "answer_refused"
    assert result["output"]["done"] is True


async def test_22_a_step_after_the_answer_does_not_ask_again_by_passing_data_on() -> None:
    pipeline = pipeline_of({"a": lambda d: question(), "b": lambda d: {**d}}, paths("a > b"))

    result = await pipeline.resume(await pipeline.run(), {"ok": True})

    assert order(result) == ["a", "b"]


async def test_22_the_answer_and_its_command_are_on_record() -> None:
    recorded = Recorded(blueprint_of({"a": lambda d: question()}, []))
    await recorded.run()

    recorded.execution.resume(None, {"ok": True}, "ada", "command-7")
    await recorded.execution.resume_run()

    (resumed,) = recorded.log.of(ev.StepResumed)
    assert (resumed.human_input, resumed.responded_by) == ({"ok": True}, "ada")
    assert "command-7" in recorded.log.causes


async def test_22_a_wait_survives_its_process_and_may_then_be_answered() -> None:
    blueprint = blueprint_of({"a": lambda d: question(timeout_seconds=60)}, [])
    before = Recorded(blueprint)
    await before.run()
    after = Recorded(blueprint)

    waiting = await after.execution.resume_run(folded(blueprint, before.log.events))
    expires = after.execution.next_due
    after.execution.resume("a", {"ok": 1})
    ended = await after.execution.resume_run()

    assert not waiting.ended
    assert expires == before.clock.now() + timedelta(seconds=60)
    assert ended.output == {"ok": 1, "prompt": "Go on?", "timeout_seconds": 60}


@pytest.mark.parametrize("seconds", ["soon", -1, 0, True, 1e99])
async def test_22_a_question_with_a_bad_timeout_fails_the_step(seconds: Any) -> None:
    with pytest.raises(RunFailed, match="timeout_seconds"):
        await pipeline_of({"a": lambda d: question(timeout_seconds=seconds)}, []).run()
