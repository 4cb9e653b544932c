"""Embedded mode for code without an event loop: the same calls, each waiting for its answer.

with EmbeddedSync.open("steplog.db") as steplog:
    execution = steplog.result(steplog.run(definition, {"year": 2015}))

Executions go on in a thread while the caller does something else.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from contracts.payload import JsonValue
from contracts.records import ExecutionRecord
from steplog.client import DEFAULT_RESULT_TIMEOUT_S
from steplog.embedded.client import Embedded
from steplog.sending import Submitted

ResultT = TypeVar("ResultT")


class EmbeddedSync:
    """An `Embedded` whose event loop runs in a thread; `open` is the way to one."""

    def __init__(self, embedded: Embedded, loop: asyncio.AbstractEventLoop) -> None:
        self._embedded = embedded
        self._loop = loop

    @classmethod
    @contextmanager
    def open(
        cls, path: Path | str, *, step_modules: Sequence[str] | None = None
    ) -> Iterator["EmbeddedSync"]:
        """Open the file, or make it, and run what is in it until the block ends.

        Raises:
            FileRefused: another process runs on the file, or it can't be used.
        """
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            thread = threading.Thread(target=loop.run_forever, name="steplog-embedded")
            thread.start()
            try:
                opening = Embedded.open(path, step_modules=step_modules)
                embedded = _in(loop, opening.__aenter__())
                try:
                    yield cls(embedded, loop)
                finally:
                    _in(loop, opening.__aexit__(None, None, None))
            finally:
                loop.call_soon_threadsafe(loop.stop)
                thread.join()

    def run(
        self,
        pipeline: str | Mapping[str, Any],
        input: JsonValue = None,  # noqa: A002 - the word of the definition and of the command
        *,
        execution_id: str | None = None,
    ) -> Submitted:
        """Ask for an execution; see `Steplog.run`."""
        return self._do(self._embedded.run(pipeline, input, execution_id=execution_id))

    def result(
        self, submitted: Submitted, timeout_s: float = DEFAULT_RESULT_TIMEOUT_S
    ) -> ExecutionRecord:
        """Return the execution once it has ended; see `Steplog.result`."""
        return self._do(self._embedded.result(submitted, timeout_s))

    def _do(self, call: Coroutine[Any, Any, ResultT]) -> ResultT:
        return _in(self._loop, call)


def _in(loop: asyncio.AbstractEventLoop, call: Coroutine[Any, Any, ResultT]) -> ResultT:
    return asyncio.run_coroutine_threadsafe(call, loop).result()
