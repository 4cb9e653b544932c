"""Everything a local stack leaves on disk lies in one folder: data, logs, state, and a lock.

The lock is held by the supervisor as long as it lives and vanishes with it however it ends, so
whether a stack runs is never guessed from a stale file.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from steplog.errors import DataFolderUnusable, StackBusy
from steplog.local.stack_state import StackState
from steplog_contracts.private_files import (
    NotPrivate,
    is_ours,
    open_private,
    private_file,
    private_folder,
    write_private,
)

LOG_LIMIT_BYTES = 20 * 1024 * 1024
_PRIVATE_MODE = 0o600


class DataFolder:
    """Paths inside one data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.kafka = self.root / "kafka"
        self.postgres = self.root / "postgres"
        self.payloads = self.root / "payloads"
        self.logs = self.root / "logs"
        self.run = self.root / "run"
        self._state = self.root / "stack.json"
        self._lock = self.root / "stack.lock"

    def create(self) -> None:
        """Make the folder and keep it out of version control.

        Raises:
            DataFolderUnusable: it can't be made or written.
        """
        try:
            for folder in (self.root.resolve(), self.logs, self.run, self.payloads):
                private_folder(folder)
            write_private(self.root / ".gitignore", "*\n")
            private_file(self._lock)
        except NotPrivate as error:
            raise DataFolderUnusable(str(error)) from error
        except OSError as error:
            raise DataFolderUnusable(
                f"The data folder {self.root} can't be written ({error.strerror}); "
                "make it writable, or choose another with --data-dir or STEPLOG_DATA_DIR."
            ) from error

    def log_of(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.logs / f"{name}.log"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for one stack; raise `StackBusy` if another one does."""
        with self._lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StackBusy(
                    f"A stack already runs in {self.root}; "
                    "see `steplog status`, or stop it with `steplog down`."
                ) from error
            yield

    def is_held(self) -> bool:
        """Whether a stack runs on this folder."""
        try:
            with self._lock.open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def write_state(self, state: StackState) -> None:
        """Replace the state as a whole, readable by its owner alone: addresses hold passwords."""
        draft = self._state.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE_MODE)
        with os.fdopen(descriptor, "w") as file:
            file.write(state.model_dump_json(indent=2))
        draft.replace(self._state)

    def read_state(self) -> StackState | None:
        """Return the state last written, by a stack that runs or by one that was killed.

        One that somebody else wrote is none: clients send tokens where it points.
        """
        if not is_ours(self._state):
            return None
        try:
            return StackState.model_validate_json(self._state.read_bytes())
        except (OSError, ValueError):
            return None

    def forget_state(self) -> None:
        """Remove the state of a stack that has ended."""
        with suppress(OSError):
            self._state.unlink(missing_ok=True)

    def trim_logs(self) -> None:
        """Set aside logs that grew too long, keeping one earlier piece of each.

        The writers hold the files open to append, so the content moves and the file stays.
        """
        for log in self.root.glob("**/*.log"):
            if log.stat().st_size > LOG_LIMIT_BYTES:
                with open_private(log.with_suffix(".log.1")) as kept:
                    kept.write(log.read_bytes())
                os.truncate(log, 0)
