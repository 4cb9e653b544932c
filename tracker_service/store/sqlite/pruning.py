"""Removing rows from SQLite."""

import sqlite3
from datetime import datetime

from tracker_service.store.pruning import (
    PRUNED_TABLES,
    Place,
    Pruned,
    batch_of,
    old_refusals_sql,
    unused_definitions_sql,
    victims_sql,
)
from tracker_service.store.sqlite.database import read_time, stored

_VICTIMS = victims_sql("?1", "?2", "?3", "?4")
_REFUSALS = old_refusals_sql("?1", "?2")
_UNUSED = unused_definitions_sql("?1", "?2")


def prune(connection: sqlite3.Connection, before: datetime, after: Place, limit: int) -> Pruned:
    """Remove one batch of executions; see `tracker_service.store.pruning`."""
    since, after_id = after
    values = (stored(before), stored(since), after_id, limit)
    rows = connection.execute(_VICTIMS, values).fetchall()
    names = [(row["execution_id"],) for row in rows]
    for table in PRUNED_TABLES:
        connection.executemany(f"DELETE FROM {table} WHERE execution_id = ?", names)  # noqa: S608
    if names:
        connection.execute("UPDATE read_model SET pruned_before = ?", (stored(before),))
    return batch_of([_place(row) for row in rows], limit)


def prune_refusals(connection: sqlite3.Connection, before: datetime, limit: int) -> int:
    """Remove old refusals of executions without a row; see `tracker_service.store.pruning`."""
    return connection.execute(
        f"DELETE FROM refused_commands WHERE command_id IN ({_REFUSALS})",  # noqa: S608
        (stored(before), limit),
    ).rowcount


def prune_definitions(connection: sqlite3.Connection, before: datetime, limit: int) -> int:
    """Remove definitions nobody has any more; see `tracker_service.store.pruning`."""
    removed = connection.execute(
        f"DELETE FROM pipeline_definitions WHERE definition_hash IN ({_UNUSED})",  # noqa: S608
        (stored(before), limit),
    ).rowcount
    if removed:
        connection.execute("UPDATE projection_positions SET generation = generation + 1")
    return removed


def _place(row: sqlite3.Row) -> Place:
    started_at = read_time(row["started_at"])
    assert started_at is not None, "every execution has a beginning"
    return started_at, row["execution_id"]
