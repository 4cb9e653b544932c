"""One connection to a SQLite file, on a thread of its own so that SQL never blocks the event loop.

A call runs a whole transaction in that thread: one hop, however many statements.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from steplog_contracts.envelope import format_time
from steplog_contracts.private_files import private_file
from tracker_service.store.errors import RowsRejected, StoreRefused, StoreUnavailable
from tracker_service.store.sql.metadata_text import metadata_text

BUSY_TIMEOUT_S = 10.0

ResultT = TypeVar("ResultT")


class Database:
    """A file and its one connection; `readonly` for the side that only asks.

    `turn` is held during each transaction by all who write to the file in this process: SQLite's
    own way of waiting for another writer sleeps in steps of milliseconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        readonly: bool = False,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        self._path = path
        self._turn = turn or nullcontext()
        self._readonly = readonly
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the file; raises `StoreRefused` if it can't be used."""
        try:
            await self._in_thread(self._connect)
        except (sqlite3.Error, OSError) as error:
            raise StoreRefused(
                f"The read model's file {self._path} can't be opened: {error}; check that it is "
                "there and may be written."
            ) from error

    async def close(self) -> None:
        """Close the file and end the thread."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._in_thread(connection.close)
        self._thread.shutdown(wait=True)

    async def run(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        """Run `work` as one transaction and return its result."""
        connection = self._connection
        if connection is None:
            raise StoreUnavailable("The read model's file is closed.")

        def transaction() -> ResultT:
            with self._turn, store_errors():
                connection.execute("BEGIN" if self._readonly else "BEGIN IMMEDIATE")
                try:
                    result = work(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                return result

        return await self._in_thread(transaction)

    def _connect(self) -> None:
        mode = "ro" if self._readonly else "rwc"
        uri = f"{self._path.absolute().as_uri()}?mode={mode}"
        if not self._readonly:
            # SQLite gives -wal and -shm the mode of the file; what can't be made, it tells itself.
            with suppress(OSError):
                private_file(self._path)
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.create_function("metadata_text", 2, metadata_text, deterministic=True)
        connection.create_function("sha256_hex", 1, _sha256_hex, deterministic=True)
        if not self._readonly:
            connection.execute("PRAGMA journal_mode = WAL")
            # After a power cut rows and position go back together, and so does the only worker.
            connection.execute("PRAGMA synchronous = NORMAL")
        self._connection = connection

    async def _in_thread(self, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn what sqlite3 raises inside into one of `tracker_service.store.errors`."""
    try:
        yield
    except (sqlite3.DataError, sqlite3.IntegrityError, OverflowError, UnicodeError) as error:
        raise RowsRejected(f"SQLite can't take a value: {error}.") from error
    except sqlite3.Error as error:
        if "too big" in str(error):
            raise RowsRejected(f"SQLite can't take a value: {error}.") from error
        raise StoreUnavailable(f"SQLite says: {error}.") from error


def _sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def stored(value: Any) -> Any:
    """Return a value as its column holds it: times as sortable text."""
    return format_time(value.astimezone(UTC)) if isinstance(value, datetime) else value


def read_time(text: str | None) -> datetime | None:
    """Return a stored time."""
    return None if text is None else datetime.fromisoformat(text)


def now() -> datetime:
    """Return the time this database's rows are stamped with."""
    return datetime.now(UTC)
