"""The read model in one SQLite file, behind the same ports as PostgreSQL's."""

from tracker_service.store.sqlite.dead_letters import SqliteDeadLetters
from tracker_service.store.sqlite.read_model import SqliteReadModel
from tracker_service.store.sqlite.store import SqliteStore

__all__ = ["SqliteDeadLetters", "SqliteReadModel", "SqliteStore"]
