"""The two read models, each with its writing side, reading side and dead letters."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec

from tests.tracker.histories import LogEntry
from tracker_service.projector.projector import Projector
from tracker_service.projector.store_retry import Pacing
from tracker_service.store.dead_letters import DeadLetters
from tracker_service.store.postgres.dead_letters import PostgresDeadLetters
from tracker_service.store.postgres.read_model import PostgresReadModel
from tracker_service.store.postgres.store import PostgresStore
from tracker_service.store.queries import ExecutionFilter, Row
from tracker_service.store.read_port import ReadModel
from tracker_service.store.sqlite.dead_letters import SqliteDeadLetters
from tracker_service.store.sqlite.read_model import SqliteReadModel
from tracker_service.store.sqlite.store import SqliteStore
from tracker_service.store.write_port import Store

TOPIC = "t.events"


@dataclass
class ReadModelUnderTest:
    """One read model, open, with a projector that feeds it."""

    store: Store
    model: ReadModel
    letters: DeadLetters

    def __post_init__(self) -> None:
        self.projector = self.worker()

    def worker(self) -> Projector:
        """Another worker on the same rows, which remembers nothing."""
        return Projector(self.store, TOPIC, Pacing(lambda: True))

    async def receives(self, entries: Sequence[LogEntry], partition: int = 0) -> None:
        """Apply entries as one batch."""
        await self.projector.apply(partition, entries)

    async def execution(self, execution_id: str = "e-1") -> Row:
        """Return an execution's row with its JSON parsed."""
        row = await self.model.execution(execution_id)
        assert row is not None, f"no row for {execution_id}"
        return parsed(row)

    async def steps(self, execution_id: str = "e-1") -> list[Row]:
        """Return the rows of an execution's visits with their JSON parsed."""
        return [parsed(row) for row in await self.model.steps(execution_id)]

    async def recent(self) -> list[Row]:
        """Return the rows of executions, newest first."""
        return list(await self.model.executions(ExecutionFilter()))

    async def count_by_table(self, tables: Sequence[str]) -> dict[str, int]:
        """Return how many rows each table has."""
        counts = {}
        for table in tables:
            ((count,),) = await self.select(f"SELECT count(*) FROM {table}")
            counts[table] = count
        return counts

    async def tables_with(self, column: str) -> set[str]:
        """Return the tables that have a column, by the database's own catalogue."""
        if isinstance(self.store, SqliteStore):
            query = (
                "SELECT m.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c "
                f"WHERE m.type = 'table' AND c.name = '{column}'"
            )
        else:
            query = (
                "SELECT table_name FROM information_schema.columns "
                f"WHERE table_schema = current_schema() AND column_name = '{column}'"
            )
        return {name for (name,) in await self.select(query)}

    async def select(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds, whichever database it is."""
        if isinstance(self.store, SqliteStore):
            return await self.store.database.run(
                lambda connection: [tuple(row) for row in connection.execute(query)]
            )
        assert isinstance(self.store, PostgresStore)
        return [tuple(row) for row in await self.store.pool.fetch(query)]


def parsed(row: Row) -> Row:
    """Return a row with its JSON parsed."""

    def value(found: Any) -> Any:
        return msgspec.json.decode(found) if isinstance(found, msgspec.Raw) else found

    return {name: value(found) for name, found in row.items()}


@asynccontextmanager
async def new_database(server_url: str) -> AsyncIterator[str]:
    """Yield the URL of an empty database of a server, dropped afterwards."""
    name = f"rows_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(server_url)
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


@asynccontextmanager
async def postgres_read_model(url: str) -> AsyncIterator[ReadModelUnderTest]:
    """Yield a read model in an empty PostgreSQL database."""
    store, model = PostgresStore(url, max_connections=4), PostgresReadModel(url, max_connections=2)
    await store.open()
    await model.open()
    yield ReadModelUnderTest(store, model, PostgresDeadLetters(store.pool))
    await model.close()
    await store.close()


@asynccontextmanager
async def sqlite_read_model(path: Path) -> AsyncIterator[ReadModelUnderTest]:
    """Yield a read model in a new SQLite file."""
    store, model = SqliteStore(path), SqliteReadModel(path)
    await store.open()
    await model.open()
    yield ReadModelUnderTest(store, model, SqliteDeadLetters(store.database))
    await model.close()
    await store.close()
