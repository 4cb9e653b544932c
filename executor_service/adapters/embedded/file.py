"""The log of embedded mode: topics as tables of one SQLite file, durable at each append.

Group commit: everything ready while a transaction is on its way goes out as the next one, so many
appends share one wait for the disk. SQL runs on threads of its own and never on the event loop;
`turn` is held while writing, so that the read model, which writes to the same file, takes turns
without SQLite's own waiting in steps of milliseconds.

A write that fails is final. What a disk did with a failed flush nobody can tell, so nothing more
is appended, everybody who waits is told, and the process has to end; the next one reads the file.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import TypeVar

from executor_service.adapters.embedded.lock import EmbeddedLock
from executor_service.adapters.embedded.reader import EmbeddedReader, headers_text
from executor_service.adapters.embedded.recent_records import RecentRecords, StoredRecord
from executor_service.adapters.embedded.schema import TOPICS, connect
from executor_service.embedded_errors import FileFailed, FileRefused
from executor_service.ports.resume_point import ResumePoint
from steplog_contracts.envelope import Record

# Rows in one statement. Each statement gives the interpreter up and takes it back, and with rows
# one by one that waiting would cost more than the work.
ROWS_PER_STATEMENT = 100
READ_RECORDS = 1_000

ResultT = TypeVar("ResultT")
_POINT_COLUMNS = 5
_COMMIT_POINT = """
INSERT INTO log_committed (id, command_offset, mark, epoch, ids_through, ids_from)
VALUES (1, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET command_offset = excluded.command_offset, mark = excluded.mark,
    epoch = excluded.epoch, ids_through = excluded.ids_through, ids_from = excluded.ids_from
"""


class EmbeddedFile:
    """One file in the hands of this process; use as an async context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.turn = threading.Lock()
        self.lock = EmbeddedLock(path)
        self.failure: FileFailed | None = None
        self.failed = asyncio.Event()
        self._ends = dict.fromkeys(TOPICS, 0)
        self._recent = {topic: RecentRecords() for topic in TOPICS}
        self._grown = {topic: asyncio.Event() for topic in TOPICS}
        self._ready: list[_Write] = []
        self._point: ResumePoint | None = None
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-writer")
        self._writer: sqlite3.Connection
        self.reader = EmbeddedReader(path)

    async def __aenter__(self) -> "EmbeddedFile":
        """Take the file, or raise `FileRefused` with what a person can do."""
        self.lock.take()
        try:
            self._writer = await self._in_thread(lambda: connect(self.path))
            await self.reader.__aenter__()
            self._ends = await self.reader.ends()
        except BaseException:
            self.lock.release()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await self.reader.__aexit__()
        await self._in_thread(self._writer.close)
        self._thread.shutdown()
        self.lock.release()

    @property
    def is_idle(self) -> bool:
        """Say whether nothing is being written."""
        return self._writing is None

    def end(self, topic: str) -> int:
        """Return the offset behind the last record that is on the disk."""
        return self._ends[topic]

    async def append(self, topic: str, records: Sequence[Record]) -> int:
        """Return the first record's offset once all of them are on the disk.

        Raises:
            FileFailed: they are not, and nothing will be any more.
        """
        return await self._write(_Write(topic, records))

    async def commit(self, point: ResumePoint) -> None:
        """Note how far the commands are done with."""
        self._point = point
        await self._write(_Write("commands", ()))

    async def committed(self) -> ResumePoint:
        """Return what was last committed, or the very beginning."""
        return await self.reader.committed()

    async def read(
        self, topic: str, start: int, count: int = READ_RECORDS
    ) -> Sequence[StoredRecord]:
        """Return up to `count` records from offset `start` on."""
        end = min(start + count, self._ends[topic])
        if start >= end:
            return ()
        recent = self._recent[topic].read(start, end - start)
        if recent is not None:
            return recent
        return await self.reader.records(topic, start, end)

    async def grown(self, topic: str, beyond: int) -> None:
        """Return once the topic has a record at offset `beyond`.

        Raises:
            FileFailed: it never will.
        """
        while self._ends[topic] <= beyond:
            if self.failure is not None:
                raise self.failure
            await self._grown[topic].wait()

    async def _write(self, write: "_Write") -> int:
        if self.failure is not None:
            raise self.failure
        self._ready.append(write)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await write.acknowledged

    async def _write_all(self) -> None:
        try:
            while self._ready:
                writes, self._ready = self._ready, []
                await self._write_together(writes)
        finally:
            self._writing = None

    async def _write_together(self, writes: Sequence["_Write"]) -> None:
        point, self._point = self._point, None
        ends, rows = self._numbered(writes)
        try:
            await self._in_thread(lambda: self._transact(rows, point))
        except Exception as error:  # Whatever it was, nobody may wait for ever.
            self._fail(writes, error)
            return
        self._ends.update(ends)
        for topic, records in rows.items():
            self._recent[topic].add(records)
            self._wake(topic)
        for write in writes:
            write.acknowledge()

    def _numbered(
        self, writes: Sequence["_Write"]
    ) -> tuple[dict[str, int], dict[str, list[StoredRecord]]]:
        ends: dict[str, int] = {}
        rows: dict[str, list[StoredRecord]] = {}
        for write in writes:
            write.base = ends.get(write.topic, self._ends[write.topic])
            ends[write.topic] = write.base + len(write.records)
            if write.records:
                rows.setdefault(write.topic, []).extend(
                    StoredRecord(offset, *record)
                    for offset, record in enumerate(write.records, write.base)
                )
        return ends, rows

    def _transact(
        self, rows: Mapping[str, Sequence[StoredRecord]], point: ResumePoint | None
    ) -> None:
        statements = [
            _insert(topic, records[start : start + ROWS_PER_STATEMENT])
            for topic, records in rows.items()
            for start in range(0, len(records), ROWS_PER_STATEMENT)
        ]
        with self.turn:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                for statement, values in statements:
                    self._writer.execute(statement, values)
                if point is not None:
                    # The file is whole or away: it needs no records to be known by.
                    self._writer.execute(_COMMIT_POINT, astuple(point)[:_POINT_COLUMNS])
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def _fail(self, writes: Sequence["_Write"], error: Exception) -> None:
        self.failure = FileFailed(
            f"{self.path} can't be written any more: {error}; make room or mend the disk, then "
            "start again. Everything recorded so far is kept, and what was running goes on."
        )
        self.failed.set()
        for write in [*writes, *self._ready]:
            write.refuse(self.failure)
        self._ready.clear()
        for topic in TOPICS:
            self._wake(topic)

    def _wake(self, topic: str) -> None:
        self._grown[topic].set()
        self._grown[topic] = asyncio.Event()

    async def _in_thread(self, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class _Write:
    """Records on their way into one topic, and who waits for them."""

    def __init__(self, topic: str, records: Sequence[Record]) -> None:
        self.topic = topic
        self.records = records
        self.base = 0
        self.acknowledged: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def acknowledge(self) -> None:
        if not self.acknowledged.done():
            self.acknowledged.set_result(self.base)

    def refuse(self, failure: FileRefused) -> None:
        if not self.acknowledged.done():
            self.acknowledged.set_exception(failure)


def _insert(topic: str, records: Sequence[StoredRecord]) -> tuple[str, list[object]]:
    places = ", ".join(["(?, ?, ?, ?)"] * len(records))
    values: list[object] = []
    for offset, key, value, headers in records:
        values += (offset, key, value, headers_text(headers))
    return f"INSERT INTO log_{topic} VALUES {places}", values  # noqa: S608 - names of our own
