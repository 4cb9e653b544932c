"""End what a stack left that was killed hard, before its data is used again.

Linux ends children with their supervisor, but a broker takes a moment; elsewhere the launcher does
it. A process id may have a new owner meanwhile, so age is compared: ours was started before the
state that names it was last written.
"""

from collections.abc import Iterator
from contextlib import suppress

import psutil

from steplog.local.stack_state import StackState

END_TIMEOUT_S = 15.0


def end_leftovers(state: StackState | None) -> None:
    """End every process the state names that still runs; no state means a clean end."""
    if state is None:
        return
    left = list(_still_running(state))
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=END_TIMEOUT_S)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _still_running(state: StackState) -> Iterator[psutil.Process]:
    for part in state.processes:
        if part.pid is None or part.since is None:
            continue
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(part.pid)
            if process.create_time() <= part.since.timestamp():
                yield process
