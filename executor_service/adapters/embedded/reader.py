"""What a file of embedded mode holds: read on a thread of its own, without the right to append."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from executor_service.adapters.embedded.recent_records import StoredRecord
from executor_service.adapters.embedded.schema import TOPICS, connect_to_read
from executor_service.ports.resume_point import ResumePoint
from steplog_contracts.envelope import Headers

# Of one key and type: an execution begins once, and is seldom asked for twice.
MAX_RECORDS_OF_KEY = 20

ResultT = TypeVar("ResultT")


class EmbeddedReader:
    """Ranges of a file's topics; use as an async context manager, whoever appends meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-reader")
        self._connection: sqlite3.Connection

    async def __aenter__(self) -> "EmbeddedReader":
        """Open the file, or raise `FileRefused`."""
        self._connection = await self._in_thread(lambda: connect_to_read(self._path))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._in_thread(self._connection.close)
        self._thread.shutdown()

    async def ends(self) -> dict[str, int]:
        """Return the offset behind the last record of each topic."""
        query = "SELECT COALESCE(max(log_offset) + 1, 0) FROM log_{}"
        return await self._in_thread(
            lambda: {
                topic: self._connection.execute(query.format(topic)).fetchone()[0]
                for topic in TOPICS
            }
        )

    async def committed(self) -> ResumePoint:
        """Return how far the commands were done with when that was last noted."""
        query = "SELECT command_offset, mark, epoch, ids_through, ids_from FROM log_committed"
        row = await self._in_thread(lambda: self._connection.execute(query).fetchone())
        return ResumePoint(0, 0, None) if row is None else ResumePoint(*row)

    async def records(self, topic: str, start: int, end: int) -> list[StoredRecord]:
        """Return the records in [start, end)."""
        return await self._in_thread(lambda: self._select(topic, start, end))

    async def records_of(self, key: str, topic: str, kind: str) -> list[StoredRecord]:
        """Return the first records of a key whose type is `kind`; reads the whole topic."""
        condition = "record_key = ? AND instr(headers, ?) ORDER BY log_offset LIMIT ?"
        values = (key.encode(), f'"{kind}"', MAX_RECORDS_OF_KEY)
        return await self._in_thread(lambda: self._where(topic, condition, values))

    def _select(self, topic: str, start: int, end: int) -> list[StoredRecord]:
        condition = "log_offset >= ? AND log_offset < ? ORDER BY log_offset"
        return self._where(topic, condition, (start, end))

    def _where(self, topic: str, condition: str, values: tuple[object, ...]) -> list[StoredRecord]:
        query = (
            f"SELECT log_offset, record_key, record_value, headers FROM log_{topic} "  # noqa: S608
            f"WHERE {condition}"
        )
        rows = self._connection.execute(query, values).fetchall()
        return [StoredRecord(row[0], row[1], row[2], read_headers(row[3])) for row in rows]

    async def _in_thread(self, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def headers_text(headers: Headers) -> str:
    """Return headers as JSON that can be read and queried; any bytes come back as they were."""
    return json.dumps([[name, _escaped(value)] for name, value in headers])


def read_headers(text: str) -> Headers:
    """Return headers from their JSON."""
    return [(name, _bytes(value)) for name, value in json.loads(text)]


def _escaped(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "surrogateescape")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")
