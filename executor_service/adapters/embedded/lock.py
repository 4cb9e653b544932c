"""One process at a time on one file: a lock that lives exactly as long as its holder.

The lock is on a file beside the data, because closing any descriptor of the data file itself would
drop the locks SQLite holds on it. It names its holder for whoever comes second.
"""

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from executor_service.adapters.embedded.forked_children import close_in_children, keep_in_children
from executor_service.embedded_errors import FileHeld, FileRefused

_SUFFIX = ".lock"
_PRIVATE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the file open, and where it answers if it does."""

    pid: int
    api_url: str | None = None


class EmbeddedLock:
    """The right to append to one file."""

    def __init__(self, path: Path) -> None:
        self._data = path
        self.path = path.with_name(path.name + _SUFFIX)
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock at once.

        Raises:
            FileHeld: another process has it.
            FileRefused: the folder can't be written.
        """
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_MODE)
        except OSError as error:
            raise FileRefused(
                f"{self.path.parent} can't be written ({error.strerror}); make it writable, or "
                "keep the file elsewhere."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise FileHeld(self._held()) from error
        self._descriptor = descriptor
        # A child would hold the lock on after this process, for flock is of the open file.
        close_in_children(descriptor)
        self.tell(Holder(os.getpid()))

    def tell(self, holder: Holder) -> None:
        """Write who holds the lock."""
        assert self._descriptor is not None, "only a holder can say who it is"
        text = json.dumps(asdict(holder)).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))

    def release(self) -> None:
        """Give the lock up; whoever waits for it sees nothing of this holder."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.ftruncate(descriptor, 0)
            # Not by closing alone: what a program was started with may still have it open.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            keep_in_children(descriptor)
            os.close(descriptor)

    def holder(self) -> Holder | None:
        """Return who holds the lock, or None; a holder that says nothing yet has process id 0."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._read(descriptor)
        finally:
            os.close(descriptor)
        return None

    def _read(self, descriptor: int) -> Holder:
        with suppress(ValueError, TypeError):
            return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
        return Holder(0)

    def _held(self) -> str:
        holder = self.holder()
        who = f"process {holder.pid}" if holder and holder.pid else "another process"
        where = f", which answers at {holder.api_url}" if holder and holder.api_url else ""
        return (
            f"{self._data} is in use by {who}{where}; stop it first, or use a file of your own "
            "with --data."
        )
