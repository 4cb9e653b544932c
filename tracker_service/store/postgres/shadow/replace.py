"""Rows of single executions replaced by what the log says, behind the position's lock."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tracker_service.store.postgres.pool import Connection
from tracker_service.store.sql.columns import Table
from tracker_service.store.sql.tables import ALL_TABLES, DEFINITIONS, REFUSED_COMMANDS

# Tables whose rows an execution's own events make. A refusal may stand anywhere in the partition.
OWN_TABLES: Final = tuple(t for t in ALL_TABLES if t not in (DEFINITIONS, REFUSED_COMMANDS))
OWN_AND_REFUSED: Final = (*OWN_TABLES, REFUSED_COMMANDS)
_PLACES = """
SELECT execution_id, partition, first_offset, log_offset, seq, status
FROM "{live}".pipeline_executions WHERE execution_id = ANY($1::text[])
"""
_COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the live row of an execution says its events are, and how far it is."""

    partition: int
    first_offset: int
    log_offset: int
    seq: int
    status: str


async def places(
    connection: Connection, live: str, execution_ids: Sequence[str]
) -> dict[str, Place]:
    """Return where the executions that have a live row stand."""
    rows = await connection.fetch(_PLACES.format(live=live), list(execution_ids))
    return {row[0]: Place(*tuple(row)[1:]) for row in rows}


async def differing(connection: Connection, shadow: str, limit: int | None = None) -> list[str]:
    """Return the executions with a row that differs, or the first few of them."""
    rows = await connection.fetch(
        f'SELECT DISTINCT execution_id FROM "{shadow}".differences '
        "WHERE execution_id IS NOT NULL ORDER BY 1 LIMIT $1",
        limit,
    )
    return [row[0] for row in rows]


async def replace(
    connection: Connection,
    live: str,
    shadow: str,
    execution_ids: Sequence[str],
    tables: Sequence[Table[Any]] = OWN_TABLES,
) -> None:
    """Put the shadow rows of executions in the place of their live ones.

    Inside `writers_paused`, with `bump_generations` for the partitions concerned.
    """
    ids = list(execution_ids)
    for name in (table.name for table in tables):
        columns = await connection.fetchval(_COLUMNS, f'"{shadow}".{name}')
        await connection.execute(
            f'DELETE FROM "{live}".{name} WHERE execution_id = ANY($1::text[])', ids
        )
        await connection.execute(
            f'INSERT INTO "{live}".{name} ({columns}) SELECT {columns} FROM "{shadow}".{name} '
            "WHERE execution_id = ANY($1::text[]) ON CONFLICT DO NOTHING",
            ids,
        )


async def bump_generations(
    connection: Connection, live: str, topic: str, partitions: Iterable[int]
) -> None:
    """Have live workers drop what they remember of partitions."""
    await connection.execute(
        f'UPDATE "{live}".projection_positions SET generation = generation + 1 '
        "WHERE topic = $1 AND partition = ANY($2::integer[])",
        topic,
        sorted(set(partitions)),
    )
