"""Shadow rows against live rows, set by set: what differs is written down with its columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tracker_service.store.postgres.pool import Connection
from tracker_service.store.sql.columns import Table
from tracker_service.store.sql.tables import ALL_TABLES, DEFINITIONS, EXECUTIONS, VISITS

CHANGED: Final = "changed"
ONLY_LOG: Final = "only_in_log"
ONLY_LIVE: Final = "only_in_rows"
# Which partition brings a definition first is chance, so the rest of its row is; rows written by an
# earlier version don't have `under_epoch`.
_BY_CHANCE: Final = {
    DEFINITIONS.name: {"first_seen_at", "pipeline_id", "pipeline_name"},
    EXECUTIONS.name: {"under_epoch"},
}
_COLUMNS = """
SELECT attname, atttypid = ANY('{json,jsonb}'::regtype[]) FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that differs: its key, and per column what is live and what the log says."""

    table: str
    execution_id: str | None
    key: tuple[str, ...]
    kind: str
    columns: dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows differ, by table and kind, and changed ones by table and column."""

    kinds: dict[tuple[str, str], int]
    columns: dict[tuple[str, str], int]

    @property
    def total(self) -> int:
        """All rows that differ."""
        return sum(self.kinds.values())

    def plus(self, other: "Tally") -> "Tally":
        """Return both together."""
        return Tally(_summed(self.kinds, other.kinds), _summed(self.columns, other.columns))


def _summed(
    mine: dict[tuple[str, str], int], theirs: dict[tuple[str, str], int]
) -> dict[tuple[str, str], int]:
    return {key: mine.get(key, 0) + theirs.get(key, 0) for key in sorted({*mine, *theirs})}


async def compare_all(connection: Connection, live: str, shadow: str) -> None:
    """Compare every row of every table and write down those that differ."""
    await connection.execute(f'TRUNCATE "{shadow}".differences')
    for table in ALL_TABLES:
        await _compare(connection, table, live, shadow, scoped=False)


async def compare_some(
    connection: Connection, live: str, shadow: str, execution_ids: Sequence[str]
) -> None:
    """Compare the rows of some executions again, and those of no execution."""
    await connection.execute(f'TRUNCATE "{shadow}".scope')
    await connection.execute(
        f'INSERT INTO "{shadow}".scope SELECT DISTINCT unnest($1::text[])', list(execution_ids)
    )
    await compare_scope(connection, live, shadow, ALL_TABLES)


async def scope_window(
    connection: Connection,
    live: str,
    shadow: str,
    since: datetime | None,
    until: datetime | None,
) -> int:
    """Look at executions that began in a window, in the log or in the rows; return how many of
    them moved on since the shadow rows were made, which are left out."""
    await connection.execute(f'TRUNCATE "{shadow}".scope')
    await connection.execute(
        f'INSERT INTO "{shadow}".scope SELECT execution_id FROM "{shadow}".pipeline_executions '
        f'UNION SELECT execution_id FROM "{live}".pipeline_executions '
        "WHERE started_at >= COALESCE($1, '-infinity'::timestamptz) "
        "AND started_at < COALESCE($2, 'infinity'::timestamptz)",
        since,
        until,
    )
    return await _without_moved(connection, live, shadow)


async def scope_differing(connection: Connection, live: str, shadow: str) -> int:
    """Look again at executions that differed, but for those that moved on; return how many did."""
    await connection.execute(f'TRUNCATE "{shadow}".scope')
    await connection.execute(
        f'INSERT INTO "{shadow}".scope SELECT DISTINCT execution_id FROM "{shadow}".differences '
        "WHERE execution_id IS NOT NULL"
    )
    await connection.execute(f'TRUNCATE "{shadow}".differences')
    return await _without_moved(connection, live, shadow)


async def _without_moved(connection: Connection, live: str, shadow: str) -> int:
    moved = await connection.execute(
        f'DELETE FROM "{shadow}".scope AS s USING "{live}".pipeline_executions AS l, '
        f'"{shadow}".rebuild_targets AS t WHERE l.execution_id = s.execution_id '
        "AND t.partition = l.partition AND l.log_offset >= t.end_offset"
    )
    return int(moved.split()[-1])


async def compare_scope(
    connection: Connection, live: str, shadow: str, tables: Sequence[Table[Any]]
) -> None:
    """Compare the rows of the executions in the table `scope`, and those of no execution."""
    await connection.execute(
        f'DELETE FROM "{shadow}".differences WHERE execution_id IS NULL '
        f'OR execution_id IN (SELECT execution_id FROM "{shadow}".scope)'
    )
    for table in tables:
        await _compare(connection, table, live, shadow, scoped=True)


async def tally(connection: Connection, shadow: str) -> Tally:
    """Count what differs."""
    kinds = await connection.fetch(
        f'SELECT table_name, kind, count(*) FROM "{shadow}".differences GROUP BY 1, 2 ORDER BY 1, 2'
    )
    columns = await connection.fetch(
        f'SELECT table_name, c, count(*) FROM "{shadow}".differences, unnest(columns) AS c '
        f"WHERE kind = '{CHANGED}' GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return Tally(
        {(row[0], row[1]): row[2] for row in kinds},
        {(row[0], row[1]): row[2] for row in columns},
    )


async def examples(connection: Connection, live: str, shadow: str, limit: int) -> list[Difference]:
    """Return some of the rows that differ, changed ones first, with both values."""
    rows = await connection.fetch(
        f'SELECT table_name, execution_id, row_key, kind, columns FROM "{shadow}".differences '
        f"ORDER BY kind <> '{CHANGED}', execution_id, table_name, row_key LIMIT $1",
        limit,
    )
    tables = {table.name: table for table in ALL_TABLES}
    found = []
    for name, execution_id, key, kind, columns in rows:
        values = await _values(connection, tables[name], (live, shadow), key, columns)
        found.append(Difference(name, execution_id, tuple(key), kind, values))
    return found


async def _values(
    connection: Connection,
    table: Table[Any],
    schemas: tuple[str, str],
    key: Sequence[str],
    columns: Sequence[str],
) -> dict[str, tuple[Any, Any]]:
    if not columns:
        return {}
    names = ", ".join(f"{name}::text" for name in columns)
    place = " AND ".join(f"{name}::text = ${n}" for n, name in enumerate(table.keys, 1))
    pair = []
    for schema in schemas:
        row = await connection.fetchrow(
            f'SELECT {names} FROM "{schema}".{table.name} WHERE {place}',
            *key,
        )
        pair.append(row or (None,) * len(columns))
    return {name: (pair[0][n], pair[1][n]) for n, name in enumerate(columns)}


async def _compare(
    connection: Connection, table: Table[Any], live: str, shadow: str, *, scoped: bool
) -> None:
    keys = table.keys
    rows = await connection.fetch(_COLUMNS, f'"{shadow}".{table.name}')
    columns = [
        (name, "::text" if is_json else "")
        for name, is_json in rows
        if name not in keys and name not in _BY_CHANCE.get(table.name, ())
    ]
    owner = "execution_id" if table is not DEFINITIONS else None
    # As an array, so that the few rows are found by index whatever the planner knows of the scope.
    some = f' WHERE {owner} = ANY(ARRAY(SELECT execution_id FROM "{shadow}".scope))'
    some = some if scoped and owner is not None else ""
    l_row = ", ".join(f"l.{name}{cast}" for name, cast in columns)
    s_row = ", ".join(f"s.{name}{cast}" for name, cast in columns)
    tests = ", ".join(
        f"CASE WHEN l.{name}{cast} IS DISTINCT FROM s.{name}{cast} THEN '{name}' END"
        for name, cast in columns
    )
    key_texts = ", ".join(f"COALESCE(l.{name}, s.{name})::text" for name in keys)
    owner_text = "NULL" if owner is None else f"COALESCE(l.{owner}, s.{owner})"
    on = " AND ".join(f"l.{name} = s.{name}" for name in keys)
    await connection.execute(
        f'INSERT INTO "{shadow}".differences '
        f"SELECT '{table.name}', {owner_text}, ARRAY[{key_texts}], "
        f"CASE WHEN l.{keys[0]} IS NULL THEN '{ONLY_LOG}' "
        f"WHEN s.{keys[0]} IS NULL THEN '{ONLY_LIVE}' ELSE '{CHANGED}' END, "
        f"CASE WHEN l.{keys[0]} IS NULL OR s.{keys[0]} IS NULL THEN '{{}}' "
        f"ELSE array_remove(ARRAY[{tests}], NULL) END "
        f'FROM (SELECT * FROM "{live}".{table.name}{some}) AS l '
        f'FULL JOIN (SELECT * FROM "{shadow}".{table.name}{some}) AS s ON {on} '
        f"WHERE l.{keys[0]} IS NULL OR s.{keys[0]} IS NULL "
        f"OR ({l_row}) IS DISTINCT FROM ({s_row})"
    )


def counted_rows(schema: str) -> str:
    """Return a query for the numbers of executions and visits in a schema."""
    names = (EXECUTIONS.name, VISITS.name)
    return "SELECT " + ", ".join(f'(SELECT count(*) FROM "{schema}".{n})' for n in names)
