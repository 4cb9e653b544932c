"""Retention of rows: what of an execution that ended long ago goes, and in which steps.

Only ended executions without unresolved dead letters are removed, with every row that names them.
Nothing of them can come from the log any more, because positions never move back; the log keeps
their history and a rebuild brings the rows back.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from tracker_service.projections.state import FINAL_STATUSES

# Executions or definitions per transaction: short locks, little to redo when interrupted.
BATCH_ROWS: Final = 1000
# Rows that name an execution, the execution itself last.
PRUNED_TABLES: Final = (
    "step_executions",
    "step_attempts",
    "step_compensations",
    "step_progress",
    "stored_payloads",
    "interactions",
    "execution_status_changes",
    "applied_commands",
    "refused_commands",
    "dead_letters",
    "drifted_executions",
    "pipeline_executions",
)
# An execution begins before it ends, so the index on `started_at` bounds the search; `since` and
# `after` are the last one of the batch before.
_VICTIMS: Final = f"""
SELECT execution_id, started_at FROM pipeline_executions AS e
WHERE status IN ({", ".join(f"'{status}'" for status in sorted(FINAL_STATUSES))})
    AND completed_at < {{before}} AND started_at < {{before}}
    AND (started_at, execution_id) > ({{since}}, {{after}})
    AND NOT EXISTS (SELECT 1 FROM dead_letters AS d
        WHERE d.execution_id = e.execution_id AND d.status IN ('open', 'parked'))
ORDER BY started_at, execution_id LIMIT {{limit}}
"""  # noqa: S608 - made of constants
_UNUSED_DEFINITIONS: Final = """
SELECT definition_hash FROM pipeline_definitions AS d
WHERE first_seen_at < {before} AND NOT EXISTS (SELECT 1 FROM pipeline_executions AS e
    WHERE e.pipeline_id = d.pipeline_id AND e.definition_hash = d.definition_hash)
LIMIT {limit}
"""

# Refusals go with their execution; of one that never began, or is pruned, by their own age.
_OLD_REFUSALS: Final = """
SELECT command_id FROM refused_commands AS r
WHERE refused_at < {before} AND NOT EXISTS (SELECT 1 FROM pipeline_executions AS e
    WHERE e.execution_id = r.execution_id)
ORDER BY refused_at, command_id LIMIT {limit}
"""

Place = tuple[datetime, str]  # When an execution began, and its id.
_BEGINNING: Final[Place] = (datetime(1, 1, 2, tzinfo=UTC), "")


@dataclass(frozen=True, slots=True)
class Pruned:
    """One batch of a pruning; `last` is where the next one goes on, None if this was the last."""

    executions: int
    last: Place | None


class Retention(Protocol):
    """The side of a store that removes rows, a bounded number in each transaction."""

    async def prune(self, before: datetime, after: Place, limit: int) -> Pruned:
        """Remove up to `limit` executions that ended before a time, with all that names them."""

    async def prune_refusals(self, before: datetime, limit: int) -> int:
        """Remove refusals of that age whose executions have no row; return how many."""

    async def prune_definitions(self, before: datetime, limit: int) -> int:
        """Remove definitions first seen before a time that no execution has; return how many.

        Every position is held meanwhile and gets a new generation: no worker can begin to use such
        a definition, and none goes on believing that it is there.
        """


async def prune_in_batches(rows: Retention, before: datetime) -> AsyncIterator[int]:
    """Remove what ended before a time; yield the executions removed so far after each batch."""
    removed, after = 0, _BEGINNING
    while True:
        pruned = await rows.prune(before, after, BATCH_ROWS)
        removed += pruned.executions
        yield removed
        if pruned.last is None:
            break
        after = pruned.last
    while await rows.prune_refusals(before, BATCH_ROWS) == BATCH_ROWS:
        yield removed
    while await rows.prune_definitions(before, BATCH_ROWS) == BATCH_ROWS:
        yield removed


def victims_sql(before: str, since: str, after: str, limit: str) -> str:
    """Return the query for the executions of one batch, with a dialect's placeholders."""
    return _VICTIMS.format(before=before, since=since, after=after, limit=limit)


def unused_definitions_sql(before: str, limit: str) -> str:
    """Return the query for definitions no execution has, with a dialect's placeholders."""
    return _UNUSED_DEFINITIONS.format(before=before, limit=limit)


def old_refusals_sql(before: str, limit: str) -> str:
    """Return the query for refusals that no execution has, with a dialect's placeholders."""
    return _OLD_REFUSALS.format(before=before, limit=limit)


def batch_of(victims: list[Place], limit: int) -> Pruned:
    """Return what a batch's victims, in order, say about the next batch."""
    return Pruned(len(victims), victims[-1] if len(victims) == limit else None)
