"""Connections through a pooler that gives each transaction whatever server connection is free.

Nothing of a session holds there: settings, prepared statements, temporary tables. So every
statement runs inside a transaction, its settings are made with the transaction, and statements
stay unnamed. It costs two more round trips for a statement that would have stood alone.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg


class TransactionConnection(asyncpg.Connection):
    """A connection each of whose statements is in a transaction with our settings."""

    begin_with: str  # SQL that makes the settings for one transaction.

    def get_reset_query(self) -> str:
        """Return no query: there is no session to clean."""
        return ""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109
        """Run a statement; a beginning of a transaction makes its settings in the same trip."""
        if query.startswith("BEGIN"):
            return await super().execute(f"{query} {self.begin_with}", timeout=timeout)
        async with self._within():
            return await super().execute(query, *args, timeout=timeout)

    async def executemany(self, *args: Any, **options: Any) -> None:
        """See asyncpg."""
        async with self._within():
            await super().executemany(*args, **options)

    async def fetch(self, *args: Any, **options: Any) -> Any:
        """See asyncpg."""
        async with self._within():
            return await super().fetch(*args, **options)

    async def fetchval(self, *args: Any, **options: Any) -> Any:
        """See asyncpg."""
        async with self._within():
            return await super().fetchval(*args, **options)

    async def fetchrow(self, *args: Any, **options: Any) -> Any:
        """See asyncpg."""
        async with self._within():
            return await super().fetchrow(*args, **options)

    async def copy_records_to_table(self, *args: Any, **options: Any) -> str:
        """See asyncpg."""
        async with self._within():
            return await super().copy_records_to_table(*args, **options)

    @asynccontextmanager
    async def _within(self) -> AsyncIterator[None]:
        # asyncpg notes a transaction before it begins, and forgets it before it commits.
        if self.is_in_transaction() or self._top_xact is not None:  # type: ignore[attr-defined]
            yield
            return
        async with self.transaction():
            yield


def connections_with(settings: Mapping[str, str]) -> type[TransactionConnection]:
    """Return the kind of connection that makes these settings for each transaction."""
    made = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
    return type("SetConnection", (TransactionConnection,), {"begin_with": f"SELECT {made};"})
