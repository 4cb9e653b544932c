"""A rebuild that is killed: `python -m tests.tracker.rebuild.killed STAGE < order.json`.

`STAGE` is a stage's name, to die as it begins; `progress`, to die while a partition is copied; or
`locked`, to die while the swap holds its locks and waits for a reader.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping

from tracker_service.rebuild.log_reader import Span
from tracker_service.rebuild.rebuild import Rebuild
from tracker_service.rebuild.request import RebuildRequest

# Within the time a swap waits for readers.
LOCKED_AFTER_S = 0.15


def die() -> None:
    """End as the kernel ends a process."""
    os.kill(os.getpid(), signal.SIGKILL)


class Fatal:
    """A watcher that kills what it watches."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def stage(self, name: str) -> None:
        """Die here, or soon."""
        if name == self._stage:
            die()
        if name == "swapping" and self._stage == "locked":
            threading.Timer(LOCKED_AFTER_S, die).start()

    def spans(self, spans: Mapping[int, Span], taken_up: bool) -> None:
        """Go on."""

    def progress(self, partition: int, next_offset: int, rows: int, /) -> None:
        """Die here if asked to."""
        if self._stage == "progress":
            die()


if __name__ == "__main__":
    asyncio.run(Rebuild(RebuildRequest(**json.load(sys.stdin)), Fatal(sys.argv[1])).run())
