"""Rules 18 to 20: retries, fallbacks, going on, timeouts."""

import asyncio
import time
from typing import Any

import pytest

from executor_service import RunFailed, TerminalError
from steplog_contracts import events as ev
from tests.executor.flows import (
    FunctionStep,
    ManualClock,
    Recorded,
    asks,
    blueprint_of,
    order,
    passes,
    paths,
    result_of,
    results,
)


class Flaky:
    """Raises the errors it is given, one for each call, then returns."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, data: Any) -> dict[str, Any]:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return {"calls": self.calls}


def handled(**handling: Any) -> dict[str, Any]:
    """Return the keys of a step `a` with this error handling."""
    return {"a": {"error_handling": handling}}


async def test_18_by_default_an_exception_is_not_retried() -> None:
    flaky = Flaky(ValueError("bad"))

    with pytest.raises(RunFailed, match="ValueError: bad") as caught:
        await result_of({"a": flaky}, [])

    assert flaky.calls == 1
    assert isinstance(caught.value.__cause__, ValueError)


async def test_18_with_retry_every_attempt_is_recorded() -> None:
    flaky = Flaky(TimeoutError("one"), ConnectionError("two"))
    recorded = Recorded(blueprint_of({"a": flaky}, [], of=handled(retry={})))

    await recorded.run()

    assert recorded.log.names() == [
        "ExecutionStarted", "StepStarted a", "StepAttemptFailed a", "StepStarted a",
        "StepAttemptFailed a", "StepStarted a", "StepCompleted a", "ExecutionCompleted",
    ]  # fmt: skip
    assert [event.attempt for event in recorded.log.of(ev.StepStarted)] == [1, 2, 3]
    assert [event.error.type for event in recorded.log.of(ev.StepAttemptFailed)] == [
        "TimeoutError", "ConnectionError",
    ]  # fmt: skip


async def test_18_the_delay_grows_up_to_its_maximum() -> None:
    clock = ManualClock()
    retry = {"max_attempts": 5, "initial_delay": 1, "max_delay": 5, "exponential_base": 2}

    await result_of(
        {"a": Flaky(*[ValueError()] * 4)}, [], clock=clock,
        of=handled(retry={**retry, "jitter": False}),
    )  # fmt: skip

    assert clock.slept_s == [1, 2, 4, 5]


async def test_18_jitter_takes_up_to_half_of_the_delay_away() -> None:
    clock = ManualClock()

    await result_of(
        {"a": Flaky(*[ValueError()] * 9)}, [], clock=clock,
        of=handled(retry={"max_attempts": 10, "exponential_base": 1}),
    )  # fmt: skip

    assert all(0.5 < slept <= 1 for slept in clock.slept_s)
    assert len(set(clock.slept_s)) > 1


async def test_18_the_last_attempts_error_fails_the_run() -> None:
    flaky = Flaky(*[ValueError(str(n)) for n in range(9)])

    with pytest.raises(RunFailed, match="ValueError: 2") as caught:
        await result_of({"a": flaky}, [], clock=ManualClock(), of=handled(retry={}))

    assert flaky.calls == 3
    assert caught.value.error.attempt == 3
    assert caught.value.error.step_id == "a"
    assert "test_failure.py" in (caught.value.error.traceback or "")


class ApiError(ConnectionError):
    """An error of a library that a step uses."""


@pytest.mark.parametrize(
    ("retry", "calls"),
    [
        ({"retryable_exceptions": ["ConnectionError"]}, 3),
        ({"retryable_exceptions": ["OSError"]}, 3),
        ({"retryable_exceptions": ["ApiError"]}, 3),
        ({"retryable_exceptions": ["tests.executor.engine.test_failure.ApiError"]}, 3),
        ({"retryable_exceptions": ["builtins.ConnectionError"]}, 3),
        ({"retryable_exceptions": ["ValueError"]}, 1),
        ({"non_retryable_exceptions": ["ConnectionError"]}, 1),
        ({"non_retryable_exceptions": ["ValueError"]}, 3),
    ],
)
async def test_18_lists_name_classes_dotted_or_bare_along_the_bases(retry: Any, calls: int) -> None:
    flaky = Flaky(*[ApiError("x")] * 9)

    with pytest.raises(RunFailed):
        await result_of({"a": flaky}, [], clock=ManualClock(), of=handled(retry=retry))

    assert flaky.calls == calls


async def test_18_a_terminal_error_is_never_retried() -> None:
    flaky = Flaky(TerminalError("no such customer"))

    with pytest.raises(RunFailed, match="no such customer"):
        await result_of({"a": flaky}, [], of=handled(retry={"max_attempts": 9}))

    assert flaky.calls == 1


async def test_18_error_handling_may_stand_inside_config() -> None:
    flaky = Flaky(ValueError())
    of = {"a": {"config": {"error_handling": {"retry": {"initial_delay": 0}}}}}

    await result_of({"a": flaky}, [], of=of)

    assert flaky.calls == 2


def falls_back(data: Any, error: BaseException) -> dict[str, Any]:
    """Answer for a failed run."""
    return {"from": "fallback", "because": str(error), "x": data["x"]}


async def test_19_the_fallback_answers_after_the_last_attempt() -> None:
    step = FunctionStep("a", Flaky(ValueError("1"), ValueError("2")), falls_back)
    recorded = Recorded(
        blueprint_of({"a": step}, [],
                     of=handled(enable_fallback=True, retry={"max_attempts": 2}))
    )  # fmt: skip

    outcome = await recorded.run({"x": 1})

    (completed,) = recorded.log.of(ev.StepCompleted)
    assert outcome.output == {"from": "fallback", "because": "2", "x": 1}
    assert completed.used_fallback
    assert completed.error.message == "2"


async def test_19_a_fallback_that_is_not_enabled_is_not_called() -> None:
    with pytest.raises(RunFailed, match="ValueError"):
        await result_of({"a": FunctionStep("a", Flaky(ValueError("x")), falls_back)}, [])


async def test_19_a_failed_fallback_is_told_beside_the_first_error() -> None:
    step = FunctionStep("a", Flaky(ValueError("first")), lambda data, error: 1 / 0)

    with pytest.raises(RunFailed, match=r"first.*fallback failed too: ZeroDivisionError"):
        await result_of({"a": step}, [], of=handled(enable_fallback=True))


async def test_19_continue_on_error_goes_on_with_the_error_as_result() -> None:
    result = await result_of(
        {"a": Flaky(ValueError("bad")), "b": passes, "c": passes},
        paths("a > b", "a > c", a__b=asks("result.error.message", "==", "bad"), a__c=asks("x")),
        of=handled(continue_on_error=True),
    )

    error = {"type": "ValueError", "message": "bad", "step_id": "a", "attempt": 1}
    assert order(result) == ["a", "b"]
    assert result["steps"][0] == {
        "step_name": "a", "step_index": 0, "result": {"error": error}, "status": "failed"
    }  # fmt: skip


async def test_19_an_error_gone_on_from_is_no_data() -> None:
    seen: list[Any] = []
    result = await result_of(
        {"a": Flaky(ValueError("bad")), "b": lambda data: seen.append(data["a"]) or {}},
        paths("a > b", a__b=asks("error", "not_exists")),
        {"x": 1},
        of=handled(continue_on_error=True),
    )

    assert seen[0]["error"]["message"] == "bad"
    assert result["output"] == {"x": 1}


async def test_19_in_the_first_language_it_was_laid_over_the_data() -> None:
    blueprint = blueprint_of(
        {"a": Flaky(ValueError("bad")), "b": passes}, paths("a > b", a__b=asks("step_error")),
        of=handled(continue_on_error=True),
    )  # fmt: skip
    recorded = Recorded(blueprint)
    began = blueprint.started({"x": 1}).model_copy(update={"language": 1})

    outcome = await recorded.execution.start(began)

    assert outcome.output == {"x": 1, "step_error": True, "error_message": "bad",
                              "error_type": "ValueError", "step_name": "a"}  # fmt: skip


async def test_19_the_error_result_names_the_bare_class() -> None:
    result = await result_of({"a": Flaky(ApiError("away"))}, [], of=handled(continue_on_error=True))

    assert results(result)["a"]["error"]["type"] == "ApiError"


async def test_19_a_failure_cancels_the_other_branches() -> None:
    stopped: list[str] = []

    async def for_long(data: Any) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append("c")
            raise

    async def fails(data: Any) -> None:
        await asyncio.sleep(0.01)
        raise ValueError("bad")

    recorded = Recorded(
        blueprint_of({"a": passes, "b": fails, "c": for_long}, paths("a > b", "a > c"))
    )
    outcome = await recorded.run()

    assert outcome.status == "failed"
    assert stopped == ["c"]
    assert recorded.log.names()[-3:] == ["StepFailed b", "StepCancelled c", "ExecutionFailed"]


async def test_20_a_timeout_is_an_ordinary_failure_of_the_attempt() -> None:
    calls: list[int] = []

    async def slow_once(data: Any) -> dict[str, Any]:
        calls.append(1)
        await asyncio.sleep(60 if len(calls) == 1 else 0)
        return {"calls": len(calls)}

    recorded = Recorded(
        blueprint_of({"a": slow_once}, [], of=handled(timeout_seconds=0.02, retry={}))
    )
    outcome = await recorded.run()

    assert outcome.output == {"calls": 2}
    assert recorded.log.of(ev.StepAttemptFailed)[0].error.type == "StepTimedOut"


async def test_20_a_step_in_a_thread_times_out_too() -> None:
    with pytest.raises(RunFailed, match=r"longer than 0\.05 s"):
        await result_of({"a": Threaded("a")}, [], of=handled(timeout_seconds=0.05))


class Threaded(FunctionStep):
    """A plain step that takes a while."""

    def __init__(self, name: str) -> None:
        super().__init__(name, passes)

    def run(self, data: Any) -> Any:  # type: ignore[override]
        time.sleep(0.3)


async def test_20_a_timeout_error_of_the_steps_own_is_its_own() -> None:
    async def own(data: Any) -> None:
        raise TimeoutError("the server's")

    with pytest.raises(RunFailed, match="TimeoutError: the server's"):
        await result_of({"a": own}, [], of=handled(timeout_seconds=5))


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError()])
async def test_whatever_a_step_raises_fails_that_step_only(error: BaseException) -> None:
    with pytest.raises(RunFailed) as caught:
        await result_of({"a": Flaky(error)}, [])

    assert caught.value.error.type.endswith(type(error).__name__)


async def test_an_exception_whose_text_can_not_be_made_is_still_recorded() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with pytest.raises(RunFailed, match="Mute"):
        await result_of({"a": Flaky(Mute())}, [])


async def test_results_before_a_failure_are_in_the_exception() -> None:
    with pytest.raises(RunFailed) as caught:
        await result_of({"a": lambda d: 1, "b": Flaky(ValueError())}, paths("a > b"))

    assert results(caught.value.result)["a"] == 1
    assert caught.value.result["status"] == "failed"
