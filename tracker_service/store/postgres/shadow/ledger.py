"""What a rebuild has done so far, kept beside its tables, so that it can be taken up again."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tracker_service.store.postgres.pool import Connection
from tracker_service.store.postgres.shadow import schema as shadow

# Held by the one rebuild at work, on its own connection: gone with it, however it ends.
_LOCK_KEY = 7_305_001_118


class Stage(StrEnum):
    """What comes next; each stage can be broken off anywhere and done again."""

    COPYING = "copying"
    INDEXING = "indexing"
    MENDING = "mending"
    FOLLOWING = "following"


@dataclass(frozen=True, slots=True)
class Target:
    """One partition's part of the log, and what the live rows' `generation` was."""

    begin: int
    end: int
    generation: int
    built: bool = False


async def take_lock(connection: Connection) -> bool:
    """Return whether this connection now holds the one right to rebuild."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK_KEY))


async def fingerprint(connection: Connection, schema: str) -> str | None:
    """Return what the shadow tables are being made from, or None where there are none."""
    if not await shadow.exists(connection, schema):
        return None
    known = await connection.fetchval(
        "SELECT to_regclass($1) IS NOT NULL", f'"{schema}".rebuild_ledger'
    )
    if not known:
        return None
    found = await connection.fetchval(f'SELECT fingerprint FROM "{schema}".rebuild_ledger')
    return None if found is None else str(found)


async def aim(connection: Connection, targets: Mapping[int, Target]) -> None:
    """Write down how far each partition is to be copied."""
    await connection.executemany(
        "INSERT INTO rebuild_targets (partition, begin_offset, end_offset, generation) "
        "VALUES ($1, $2, $3, $4)",
        [(p, t.begin, t.end, t.generation) for p, t in targets.items()],
    )


async def targets(connection: Connection) -> dict[int, Target]:
    """Return what is to be copied per partition."""
    rows = await connection.fetch(
        "SELECT partition, begin_offset, end_offset, generation, built FROM rebuild_targets "
        "ORDER BY partition"
    )
    return {row[0]: Target(*tuple(row)[1:]) for row in rows}


async def stage(connection: Connection) -> Stage:
    """Return the stage that comes next."""
    return Stage(await connection.fetchval("SELECT stage FROM rebuild_ledger"))


async def reached(connection: Connection, following: Stage) -> None:
    """Note that everything before a stage is done."""
    await connection.execute("UPDATE rebuild_ledger SET stage = $1", following)
