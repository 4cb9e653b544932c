"""The reading side of the read model in SQLite, on a connection of its own."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Raw

from tracker_service.store.dead_letters import Letter
from tracker_service.store.errors import StoreError, StoreRefused
from tracker_service.store.migrations import pending
from tracker_service.store.queries import Row
from tracker_service.store.sql import records
from tracker_service.store.sql.as_of import numbered
from tracker_service.store.sql.dialect import SQLITE
from tracker_service.store.sql.read_model import SqlReadModel
from tracker_service.store.sqlite.database import Database, now, read_time, stored
from tracker_service.store.sqlite.dead_letters import SqliteDeadLetters

_TIMES: Final = frozenset(
    {
        "started_at",
        "completed_at",
        "created_at",
        "expires_at",
        "failed_at",
        "retry_at",
        "changed_at",
        "compensated_at",
        "newest_definition_at",
        "pruned_before",
        "rows_begin",
        "last_event_at",
        "observed_at",
        "caught_up_at",
        "lost_at",
    }
)


class SqliteReadModel(SqlReadModel):
    """`tracker_service.store.read_port.ReadModel` over one file."""

    dialect = SQLITE

    def __init__(self, path: Path) -> None:
        self._database = Database(path, readonly=True)

    async def open(self) -> None:
        """Open the file and check the schema; raises `StoreRefused`."""
        await self._database.open()
        try:
            rows = await self._fetch("SELECT max(version) AS version FROM schema_migrations")
        except StoreError as error:
            await self._database.close()
            raise StoreRefused(f"The read model is not there yet: {error}") from error
        if waiting := pending("sqlite", rows[0]["version"] or 0):
            await self._database.close()
            raise StoreRefused(f"The read model's schema lacks {waiting[-1].name}.")

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    async def dead_letters(self, *, unresolved: bool, limit: int) -> Sequence[Letter]:
        """Return dead letters without their bytes, oldest first."""
        return await SqliteDeadLetters(self._database).letters(unresolved=unresolved, limit=limit)

    async def dead_letter(self, letter_id: int) -> Letter:
        """Return one dead letter with its bytes; raises `NoSuchLetter`."""
        return await SqliteDeadLetters(self._database).letter(letter_id)

    async def _now(self) -> datetime:
        return now()

    async def _fetch(self, query: str, *values: Any) -> Sequence[Row]:
        text = numbered(query)
        arguments = [stored(value) for value in values]
        return await self._database.run(
            lambda connection: [_row(row) for row in connection.execute(text, arguments)]
        )


def _row(row: sqlite3.Row) -> Row:
    return {name: _value(name, row[name]) for name in row.keys()}  # noqa: SIM118 - no mapping


def _value(name: str, value: Any) -> Raw | datetime | Any:
    if value is None:
        return None
    if name in records.JSON_COLUMNS:
        return Raw(value.encode())
    if name in _TIMES:
        return read_time(value)
    return bool(value) if name == "incomplete" else value
