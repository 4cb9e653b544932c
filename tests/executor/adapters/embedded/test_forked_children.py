"""A child that a step forks does not keep the file's lock."""

import os
from pathlib import Path

from executor_service.adapters.embedded.lock import EmbeddedLock


def test_a_forked_child_does_not_hold_the_lock_on(tmp_path: Path) -> None:
    lock = EmbeddedLock(tmp_path / "s.db")
    lock.take()
    read_end, write_end = os.pipe()
    began, begins = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write_end)
        os.write(begins, b"x")
        os.read(read_end, 1)  # Until the parent lets it end.
        os._exit(0)
    os.read(began, 1)
    descriptor = lock._descriptor
    assert descriptor is not None
    os.close(descriptor)  # As the kernel does when the parent is killed.

    again = EmbeddedLock(tmp_path / "s.db")
    again.take()

    again.release()
    os.close(write_end)
    os.waitpid(child, 0)
    for end in (read_end, began, begins):
        os.close(end)
