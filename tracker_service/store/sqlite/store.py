"""The writing side of the read model in SQLite."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from tracker_service.projections.row_changes import Changes
from tracker_service.projections.state import ExecutionState, Visit, restored
from tracker_service.store.dead_letters import letter_row
from tracker_service.store.migrations import check_projection_version, pending
from tracker_service.store.pruning import Place, Pruned
from tracker_service.store.sql.columns import loaded
from tracker_service.store.sql.tables import (
    EXECUTIONS,
    VISITS,
    execution_rows,
    side_rows,
    visit_rows,
)
from tracker_service.store.sqlite import pruning
from tracker_service.store.sqlite.database import Database, now, read_time, stored
from tracker_service.store.sqlite.statements import write
from tracker_service.store.write_port import Advance, Loaded, Position

# Named in one statement; SQLite allows 32,766 (its limits page).
MAX_NAMED = 500

_CLAIM = """
UPDATE projection_positions SET next_offset = :next_offset, epoch = :epoch, applied_at = :now,
    last_record = :last_record,
    last_event_at = COALESCE(:last_event_at, last_event_at),
    end_offset = max(end_offset, :end_offset), observed_at = :now,
    caught_up_at = CASE WHEN :next_offset >= max(end_offset, :end_offset) THEN :now
        ELSE caught_up_at END
WHERE topic = :topic AND partition = :partition AND next_offset = :before
    AND generation = :generation AND lost_reason IS NULL
"""
_OBSERVE = """
UPDATE projection_positions SET observed_at = :now,
    -- Others apply meanwhile: only of a log that lost records is the position beyond the end.
    end_offset = CASE WHEN lost_reason IS NULL THEN max(:end, next_offset) ELSE :end END,
    caught_up_at = CASE WHEN next_offset >= :end THEN :now ELSE caught_up_at END
WHERE topic = :topic AND partition = :partition
"""
_NOTE_LOST = """
UPDATE projection_positions SET lost_reason = ?, lost_at = ?, end_offset = ?, observed_at = ?
WHERE topic = ? AND partition = ? AND lost_reason IS NULL
"""
_CLEAR_LOST = """
UPDATE projection_positions SET lost_reason = NULL, lost_at = NULL, generation = generation + 1
WHERE topic = ? AND partition = ?
"""
_ANSWER = """
UPDATE interactions SET status = ?2, completed_at = ?3, human_input = ?4, responded_by = ?5
WHERE interaction_id = ?1 AND status = 'pending'
"""
_SET_ASIDE = """
INSERT INTO dead_letters (topic, partition, log_offset, execution_id, seq, status, code, reason,
    record_key, record_value, record_headers, epoch, set_aside_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_EXECUTIONS = f"""
SELECT {loaded(EXECUTIONS, ExecutionState)}
FROM pipeline_executions WHERE execution_id IN ({{names}})
"""  # noqa: S608 - made of constants
_VISITS = f"""
SELECT {loaded(VISITS, Visit)}
FROM step_executions WHERE execution_id = ? ORDER BY seq
"""  # noqa: S608 - made of constants
_QUARANTINED = """
SELECT DISTINCT execution_id FROM dead_letters
WHERE execution_id IN ({names}) AND status IN ('open', 'parked')
"""


class SqliteStore:
    """`tracker_service.store.write_port.Store` over one file."""

    def __init__(self, path: Path, *, turn: AbstractContextManager[object] | None = None) -> None:
        self.database = Database(path, turn=turn)

    async def open(self) -> None:
        """Open the file and migrate; raises `StoreRefused` where a person must act."""
        await self.database.open()
        try:
            await self.database.run(_migrate)
        except BaseException:
            await self.database.close()
            raise

    async def close(self) -> None:
        """Close the file."""
        await self.database.close()

    async def positions(self, topic: str, partitions: list[int]) -> dict[int, Position]:
        """Return positions, making those that are missing."""

        def work(connection: sqlite3.Connection) -> dict[int, Position]:
            connection.executemany(
                "INSERT INTO projection_positions (topic, partition) VALUES (?, ?) "
                "ON CONFLICT DO NOTHING",
                [(topic, partition) for partition in partitions],
            )
            rows = connection.execute(
                "SELECT partition, next_offset, epoch, generation, last_record, lost_reason "
                "FROM projection_positions WHERE topic = ?",
                (topic,),
            )
            wanted = set(partitions)
            return {row[0]: Position(*tuple(row)[1:]) for row in rows if row[0] in wanted}

        return await self.database.run(work)

    async def known_partitions(self, topic: str) -> int:
        """Return how many partitions of the topic have a position."""
        query = "SELECT count(*) FROM projection_positions WHERE topic = ?"
        return await self.database.run(lambda c: int(c.execute(query, (topic,)).fetchone()[0]))

    async def topics(self) -> list[str]:
        """Return the topics that have a position."""
        query = "SELECT DISTINCT topic FROM projection_positions"
        return await self.database.run(lambda c: [row[0] for row in c.execute(query)])

    async def load(self, execution_ids: list[str]) -> Loaded:
        """Return states from rows."""
        return await self.database.run(lambda connection: load(connection, execution_ids))

    async def advance(self, step: Advance) -> bool:
        """Write one step forward; see the port."""

        def work(connection: sqlite3.Connection) -> bool:
            if connection.execute(_CLAIM, _claim(step)).rowcount == 0:
                return False
            write_rows(connection, step.changes)
            stamp = stored(now())
            letters = [(*letter_row(step, item), stamp) for item in step.changes.set_aside]
            connection.executemany(_SET_ASIDE, letters)
            return True

        return await self.database.run(work)

    async def observe_ends(self, topic: str, ends: dict[int, int]) -> dict[int, int]:
        """Note end offsets, and the moment for those partitions that are caught up."""
        stamp = stored(now())
        rows = [
            {"topic": topic, "partition": partition, "end": end, "now": stamp}
            for partition, end in ends.items()
        ]

        def work(connection: sqlite3.Connection) -> dict[int, int]:
            connection.executemany(_OBSERVE, rows)
            found = connection.execute(
                "SELECT partition, next_offset FROM projection_positions WHERE topic = ?", (topic,)
            )
            return {row[0]: row[1] for row in found if row[0] in ends}

        return await self.database.run(work)

    async def note_lost(
        self, topic: str, reasons: Mapping[int, str], ends: Mapping[int, int]
    ) -> None:
        """Let nothing be applied to partitions any more; see the port."""
        stamp = stored(now())
        rows = [(text, stamp, ends[p], stamp, topic, p) for p, text in reasons.items()]
        await self.database.run(lambda c: c.executemany(_NOTE_LOST, rows))

    async def clear_lost(self, topic: str, partitions: Sequence[int]) -> None:
        """Let partitions be applied again; see the port."""
        rows = [(topic, partition) for partition in partitions]
        await self.database.run(lambda c: c.executemany(_CLEAR_LOST, rows))

    async def prune(self, before: datetime, after: Place, limit: int) -> Pruned:
        """Remove one batch of executions; see `tracker_service.store.pruning`."""
        return await self.database.run(lambda c: pruning.prune(c, before, after, limit))

    async def prune_refusals(self, before: datetime, limit: int) -> int:
        """Remove old refusals of executions without a row."""
        return await self.database.run(lambda c: pruning.prune_refusals(c, before, limit))

    async def prune_definitions(self, before: datetime, limit: int) -> int:
        """Remove definitions nobody has any more; see `tracker_service.store.pruning`."""
        return await self.database.run(lambda c: pruning.prune_definitions(c, before, limit))


def load(connection: sqlite3.Connection, execution_ids: Sequence[str]) -> Loaded:
    """Return the states of executions and which of them are quarantined."""
    states: dict[str, ExecutionState] = {}
    quarantined: set[str] = set()
    for start in range(0, len(execution_ids), MAX_NAMED):
        some = execution_ids[start : start + MAX_NAMED]
        names = ", ".join("?" * len(some))
        for row in connection.execute(_EXECUTIONS.format(names=names), some):
            state = _state(row)
            # Ended executions take nothing more, so their visits are not needed.
            visits = [] if state.ended else connection.execute(_VISITS, (state.execution_id,))
            states[state.execution_id] = restored(state, [_visit(visit) for visit in visits])
        quarantined |= {
            row[0] for row in connection.execute(_QUARANTINED.format(names=names), some)
        }
    return Loaded(states, quarantined)


def write_rows(connection: sqlite3.Connection, changes: Changes) -> None:
    """Write everything a fold changes but what it set aside; in the caller's transaction."""
    write(connection, EXECUTIONS, execution_rows(changes))
    write(connection, VISITS, visit_rows(changes))
    for table, rows in side_rows(changes):
        write(connection, table, rows)
    answers = [
        (a.interaction_id, a.status, stored(a.completed_at), a.human_input, a.responded_by)
        for a in changes.answers
    ]
    connection.executemany(_ANSWER, answers)


def _claim(step: Advance) -> dict[str, Any]:
    return {
        "topic": step.topic,
        "partition": step.partition,
        "before": step.before.next_offset,
        "generation": step.before.generation,
        "next_offset": step.next_offset,
        "epoch": step.epoch,
        "last_event_at": stored(step.last_event_at),
        "end_offset": step.end_offset or 0,
        "last_record": step.last_record,
        "now": stored(now()),
    }


def _state(row: sqlite3.Row) -> ExecutionState:
    values = dict(row)
    values["started_at"] = read_time(values["started_at"])
    values["completed_at"] = read_time(values["completed_at"])
    values["incomplete"] = bool(values["incomplete"])
    if values["under_epoch"] is not None:
        values["under_epoch"] = bool(values["under_epoch"])
    return ExecutionState(**values)


def _visit(row: sqlite3.Row) -> Visit:
    values = dict(row)
    for name in ("opened_at", "started_at", "completed_at"):
        values[name] = read_time(values[name])
    return Visit(**values)


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations "
        "(version integer PRIMARY KEY, name text NOT NULL, applied_at text NOT NULL)"
    )
    applied = connection.execute("SELECT max(version) FROM schema_migrations").fetchone()[0]
    for migration in pending("sqlite", applied or 0):
        # executescript would commit first; the statements go one by one into this transaction.
        for statement in _statements(migration.sql):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO schema_migrations VALUES (?, ?, ?)",
            (migration.version, migration.name, stored(now())),
        )
    version = connection.execute("SELECT projection_version FROM read_model").fetchone()[0]
    check_projection_version(version)


def _statements(script: str) -> list[str]:
    found, text = [], ""
    for line in script.splitlines():
        text += line + "\n"
        if sqlite3.complete_statement(text):
            found.append(text)
            text = ""
    return found
