"""The client without `await`: the same words, for scripts and threads.

with BlockingSteplog.connect() as steplog:
    execution = steplog.result(steplog.run("seattle_weather", {"year": 2015}))
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import replace
from typing import Any, Final, Self, TypeVar

from steplog.client.addresses import Addresses
from steplog.client.client import DEFAULT_RESULT_TIMEOUT_S, Steplog
from steplog.client.definition_source import PipelineSource
from steplog.client.read_api import ExecutionPage, Parameter
from steplog.client.sender import Submitted
from steplog.client.stored_values import RecordT, with_each
from steplog.client.watch import ExecutionView
from steplog_contracts.payload import JsonValue
from steplog_contracts.records import ExecutionRecord, InteractionRecord, StepRecord
from steplog_contracts.stored_value import StoredValue

T = TypeVar("T")
# For what steps left on the loop or in its threads; what was run is in the log by then.
CLOSE_TIMEOUT_S: Final = 2.0


class BlockingSteplog:
    """Drives a `Steplog` on an event loop in a thread of its own; may be shared by threads."""

    def __init__(self, steplog: Steplog, loop: asyncio.AbstractEventLoop) -> None:
        self._steplog = steplog
        self._loop = loop

    @classmethod
    @contextmanager
    def connect(cls, addresses: Addresses | None = None) -> Iterator[Self]:
        """Connect; without addresses to what the environment or the local stack here says."""
        with cls.over(Steplog.connect(addresses)) as steplog:
            yield steplog

    @classmethod
    @contextmanager
    def over(cls, opening: AbstractAsyncContextManager[Steplog]) -> Iterator[Self]:
        """Drive whatever client the context opens, such as an embedded one."""
        with _loop_in_thread() as loop:
            steplog = _on(loop, opening.__aenter__())
            try:
                yield cls(steplog, loop)
            finally:
                _on(loop, opening.__aexit__(None, None, None))

    def run(
        self,
        pipeline: PipelineSource,
        input: JsonValue = None,  # noqa: A002
        **given: Any,
    ) -> Submitted:
        """Ask for an execution; `given` is what `Steplog.run` takes by name."""
        return _on(self._loop, self._steplog.run(pipeline, input, **given))

    def cancel(self, execution_id: str, reason: str = "", *, compensate: bool = False) -> Submitted:
        """Ask an execution to stop before its next step, what it did undone if asked."""
        return _on(self._loop, self._steplog.cancel(execution_id, reason, compensate=compensate))

    def resume(
        self, execution_id: str, human_input: JsonValue, step_id: str | None = None
    ) -> Submitted:
        """Answer a step that waits for a person."""
        return _on(self._loop, self._steplog.resume(execution_id, human_input, step_id))

    def retry(self, origin_execution_id: str) -> Submitted:
        """Ask for a new execution that goes on where a failed or cancelled one stopped."""
        return _on(self._loop, self._steplog.retry(origin_execution_id))

    def fork(self, origin_execution_id: str, from_step: str, **given: Any) -> Submitted:
        """Ask for a fork; `given` is what `Steplog.fork` takes by name."""
        return _on(self._loop, self._steplog.fork(origin_execution_id, from_step, **given))

    def get(self, execution_id: str) -> ExecutionRecord | None:
        """Return an execution as the rows have it now, or None where they have none."""
        found = _on(self._loop, self._steplog.get(execution_id))
        return None if found is None else self._own(found)

    def steps(self, execution_id: str) -> tuple[StepRecord, ...]:
        """Return an execution's visits to steps in the order they began."""
        return tuple(map(self._own, _on(self._loop, self._steplog.steps(execution_id))))

    def waits(self, execution_id: str) -> tuple[InteractionRecord, ...]:
        """Return the questions an execution asked people, answered ones too."""
        return tuple(map(self._own, _on(self._loop, self._steplog.waits(execution_id))))

    def payload(self, execution_id: str, sha256: str) -> JsonValue:
        """Return a value that a record has in its `references` instead of in itself."""
        return _on(self._loop, self._steplog.payload(execution_id, sha256))

    def executions(self, **filters: Parameter) -> ExecutionPage:
        """Return a page of executions; `filters` are what `Steplog.executions` takes."""
        page = _on(self._loop, self._steplog.executions(**filters))
        return replace(page, items=tuple(map(self._own, page.items)))

    def applied(self, submitted: Submitted) -> None:
        """Return once a command shows in the rows; raises `CommandWasRefused`."""
        _on(self._loop, self._steplog.applied(submitted))

    def result(
        self, submitted: Submitted, timeout_s: float = DEFAULT_RESULT_TIMEOUT_S
    ) -> ExecutionRecord:
        """Return the execution once it has ended; raises as `Steplog.result` does."""
        return self._own(_on(self._loop, self._steplog.result(submitted, timeout_s)))

    def watch(self, execution_id: str) -> Iterator[ExecutionView]:
        """Yield the execution and its steps whenever they changed, until it has ended."""
        watched = self._steplog.watch(execution_id)
        try:
            while (glimpse := _on(self._loop, _next(watched))) is not None:
                yield replace(glimpse, execution=self._own(glimpse.execution))
        finally:
            _on(self._loop, watched.aclose())

    def _own(self, record: RecordT) -> RecordT:
        """Return a record whose stored values are fetched without `await`."""

        def blocking(value: StoredValue) -> StoredValue:
            return value.fetched_by(lambda _reference: _on(self._loop, value.fetch()))

        return with_each(record, blocking)


@contextmanager
def _loop_in_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """Yield a loop that runs in a thread, which makes and closes it: this one may have its own."""
    made: Future[asyncio.AbstractEventLoop] = Future()
    stopping = threading.Event()

    def run() -> None:
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            made.set_result(loop)
            while not stopping.is_set():
                with suppress(SystemExit):  # Out of a callback that a step left behind.
                    loop.run_forever()

    thread = threading.Thread(target=run, name="steplog", daemon=True)
    thread.start()
    loop = made.result()
    try:
        yield loop
    finally:
        stopping.set()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_TIMEOUT_S)


async def _next(glimpses: AsyncGenerator[ExecutionView]) -> ExecutionView | None:
    return await anext(glimpses, None)


def _on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result()
