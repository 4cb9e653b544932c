"""Embedded mode for code without an event loop: the same calls, each waiting for its answer.

with EmbeddedSync.open("steplog.db") as steplog:
    execution = steplog.result(steplog.run(definition, {"year": 2015}))

Executions go on in a thread while the caller does something else.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from steplog.blocking import BlockingSteplog
from steplog.embedded.client import Embedded


class EmbeddedSync(BlockingSteplog):
    """An `Embedded` whose event loop runs in a thread; `open` is the way to one."""

    @classmethod
    @contextmanager
    def open(cls, path: Path | str, *, step_modules: Sequence[str] | None = None) -> Iterator[Self]:
        """Open the file, or make it, and run what is in it until the block ends.

        Raises:
            FileRefused: another process runs on the file, or it can't be used.
        """
        with cls.over(Embedded.open(path, step_modules=step_modules)) as steplog:
            yield steplog
