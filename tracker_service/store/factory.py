"""Which store a database URL means: `postgresql://...`, or `sqlite:///file`."""

from pathlib import Path
from typing import Final
from urllib.parse import unquote

from tracker_service.store.dead_letters import DeadLetters
from tracker_service.store.errors import StoreRefused
from tracker_service.store.postgres.dead_letters import PostgresDeadLetters
from tracker_service.store.postgres.read_model import PostgresReadModel
from tracker_service.store.postgres.store import PostgresStore
from tracker_service.store.read_port import ReadModel
from tracker_service.store.sqlite.dead_letters import SqliteDeadLetters
from tracker_service.store.sqlite.read_model import SqliteReadModel
from tracker_service.store.sqlite.store import SqliteStore
from tracker_service.store.write_port import Store

DEFAULT_CONNECTIONS: Final = 10


def store_for(url: str, *, max_connections: int = DEFAULT_CONNECTIONS) -> Store:
    """Return the writing side, not yet open."""
    if (path := sqlite_path(url)) is not None:
        return SqliteStore(path)
    return PostgresStore(url, max_connections=max_connections)


def read_model_for(url: str, *, max_connections: int = DEFAULT_CONNECTIONS) -> ReadModel:
    """Return the reading side, not yet open."""
    if (path := sqlite_path(url)) is not None:
        return SqliteReadModel(path)
    return PostgresReadModel(url, max_connections=max_connections)


def dead_letters_of(store: Store) -> DeadLetters:
    """Return the dead letters of a store that is open."""
    if isinstance(store, SqliteStore):
        return SqliteDeadLetters(store.database)
    assert isinstance(store, PostgresStore), "there are two kinds of store"
    return PostgresDeadLetters(store.pool)


def sqlite_path(url: str) -> Path | None:
    """Return the file of a `sqlite:` URL, None for any other; raises `StoreRefused`."""
    if not url.startswith("sqlite:"):
        return None
    path = unquote(url.removeprefix("sqlite://").removeprefix("/"))
    if path in ("", ":memory:"):
        raise StoreRefused(
            "Rows kept in memory alone are no history; name a file, such as sqlite:///rows.db."
        )
    return Path(path)
