"""`DatabaseManager`: the `database` service of steps, the same code over PostgreSQL and SQLite.

Statements name their values (`:name`) and rows come back as dicts. Nothing blocks the event loop,
connections are opened when first needed, and one that was dropped is opened again.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol, TypeAlias

import aiosqlite
import asyncpg

from executor_service.database_address import ConnectionConfig, DatabaseError, not_opened
from steplog_contracts.postgres_login import address_problem

__all__ = ["ConnectionConfig", "DatabaseError", "DatabaseManager", "numbered_values"]

MAX_POOL_CONNECTIONS: Final = 10
CONNECT_TIMEOUT_SECONDS: Final = 10.0
SQLITE_BUSY_TIMEOUT_SECONDS: Final = 30.0

Row: TypeAlias = dict[str, Any]
Values: TypeAlias = Mapping[str, Any]
# A value's name, but not the `::` of a cast, and nothing inside quotes.
_NAMED = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|::|:([A-Za-z_]\w*)""")


class _Connection(Protocol):
    async def execute(self, statement: str, values: Values) -> int: ...

    async def fetch(self, statement: str, values: Values) -> list[Row]: ...


class _Backend(Protocol):
    async def close(self) -> None: ...

    def connection(self, *, transaction: bool) -> Any: ...


class DatabaseManager:
    """Runs statements; safe to be shared by any number of steps at once."""

    def __init__(self, config: ConnectionConfig | str) -> None:
        self.config = ConnectionConfig.from_url(config) if isinstance(config, str) else config
        self._backend: _Backend = (
            _SQLite(self.config) if self.config.provider == "sqlite" else _PostgreSQL(self.config)
        )
        self._transaction: ContextVar[_Connection | None] = ContextVar("transaction", default=None)

    @property
    def url(self) -> str:
        """The database's URL, with its password: for programs, not for people."""
        return self.config.url

    async def execute(self, statement: str, values: Values | None = None) -> int:
        """Run a statement and return how many rows it touched.

        Raises:
            DatabaseError: the database can't be reached.
        """
        async with self._connection() as connection:
            touched: int = await connection.execute(statement, values or {})
            return touched

    async def fetch_all(self, statement: str, values: Values | None = None) -> list[Row]:
        """Return every row of a query."""
        async with self._connection() as connection:
            rows: list[Row] = await connection.fetch(statement, values or {})
            return rows

    async def fetch_one(self, statement: str, values: Values | None = None) -> Row | None:
        """Return the first row of a query, or None."""
        rows = await self.fetch_all(statement, values)
        return rows[0] if rows else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Run the statements inside as one: all of them count, or none if the block raises."""
        if self._transaction.get() is not None:
            yield  # Inside another one, which decides.
            return
        async with self._backend.connection(transaction=True) as connection:
            token = self._transaction.set(connection)
            try:
                yield
            finally:
                self._transaction.reset(token)

    async def connect(self) -> None:
        """Open a connection now, to find out early that there is no database."""
        await self.fetch_one("SELECT 1 AS one")

    async def disconnect(self) -> None:
        """Close every connection; the next statement opens one again."""
        await self._backend.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        current = self._transaction.get()
        if current is not None:
            yield current
            return
        async with self._backend.connection(transaction=False) as connection:
            yield connection


class _PostgreSQL:
    """A pool, made when first needed; asyncpg leaves dropped connections out of it."""

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def connection(self, *, transaction: bool) -> AsyncIterator[_Connection]:
        pool = await self._opened()
        try:
            connection = await pool.acquire(timeout=CONNECT_TIMEOUT_SECONDS)
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise not_opened(self._config, error) from error
        try:
            if not transaction:
                yield _PostgreSQLConnection(connection)
                return
            async with connection.transaction():
                yield _PostgreSQLConnection(connection)
        finally:
            await pool.release(connection)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        if problem := address_problem(self._config.postgresql_url):
            raise DatabaseError(f"{self._config!r} can't be opened: {problem}")
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._config.postgresql_url,
                    min_size=0,
                    max_size=MAX_POOL_CONNECTIONS,
                    timeout=CONNECT_TIMEOUT_SECONDS,
                )
            return self._pool


class _PostgreSQLConnection:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, statement: str, values: Values) -> int:
        numbered, ordered = numbered_values(statement, values)
        status = str(await self._connection.execute(numbered, *ordered))
        last = status.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def fetch(self, statement: str, values: Values) -> list[Row]:
        numbered, ordered = numbered_values(statement, values)
        return [dict(record) for record in await self._connection.fetch(numbered, *ordered)]


class _SQLite:
    """One connection in a thread of its own; SQLite has one writer anyway."""

    def __init__(self, config: ConnectionConfig) -> None:
        self._path = config.database or ":memory:"
        self._connection: aiosqlite.Connection | None = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def connection(self, *, transaction: bool) -> AsyncIterator[_Connection]:
        async with self._turn:
            connection = await self._opened()
            await connection.execute("BEGIN IMMEDIATE" if transaction else "BEGIN")
            try:
                yield _SQLiteConnection(connection)
            except BaseException:
                await connection.rollback()
                raise
            await connection.commit()

    async def close(self) -> None:
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()

    async def _opened(self) -> aiosqlite.Connection:
        if self._connection is None:
            try:
                self._connection = await aiosqlite.connect(
                    self._path, timeout=SQLITE_BUSY_TIMEOUT_SECONDS, isolation_level=None
                )
            except aiosqlite.OperationalError as error:
                raise DatabaseError(f"{self._path} can't be opened: {error}.") from error
            self._connection.row_factory = aiosqlite.Row
        return self._connection


class _SQLiteConnection:
    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def execute(self, statement: str, values: Values) -> int:
        async with self._connection.execute(statement, dict(values)) as cursor:
            return max(cursor.rowcount, 0)

    async def fetch(self, statement: str, values: Values) -> list[Row]:
        async with self._connection.execute(statement, dict(values)) as cursor:
            return [dict(row) for row in await cursor.fetchall()]


def numbered_values(statement: str, values: Values) -> tuple[str, Sequence[Any]]:
    """Return the statement with `$1, $2, ...` in place of `:name`, and the values in that order."""
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        name = match.group(1)
        return match.group(0) if name is None else f"${numbers.setdefault(name, len(numbers) + 1)}"

    numbered = _NAMED.sub(number, statement)
    missing = [name for name in numbers if name not in values]
    if missing:
        raise DatabaseError(f"The statement names {', '.join(missing)}, which has no value.")
    return numbered, [values[name] for name in numbers]
