"""What must hold before shadow tables are made: rights, nothing hanging on the tables, room."""

from typing import Final

from tracker_service.store.errors import StoreRefused
from tracker_service.store.postgres.pool import Connection
from tracker_service.store.postgres.shadow.schema import TABLE_NAMES

# Where there are no live rows to go by: bytes of tables and indexes per event, as measured.
BYTES_PER_EVENT: Final = 350
MARGIN: Final = 1.2
_TABLES = """
SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = ANY($2::text[])
"""
_LACKING = f"""
SELECT string_agg(DISTINCT lacking, ', ') FROM (
    SELECT 'CREATE on the database' AS lacking
    WHERE NOT has_database_privilege(current_database(), 'CREATE')
    UNION ALL SELECT format('CREATE on the schema %s', $1::text)
    WHERE NOT has_schema_privilege($1::text, 'CREATE')
    UNION ALL SELECT format('the role %s, which owns %s', pg_get_userbyid(relowner), relname)
    FROM pg_class WHERE oid IN ({_TABLES}) AND NOT pg_has_role(relowner, 'USAGE')
) AS missing
"""
_VIEWS = f"""
SELECT string_agg(DISTINCT r.ev_class::regclass::text, ', ')
FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid
WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid IN ({_TABLES})
    AND r.ev_class <> d.refobjid
"""
_SIZE = f"SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE oid IN ({_TABLES})"
# Only of a server on this machine does the path mean anything here, and not every role may see it.
_FOLDER = """
SELECT setting FROM pg_settings WHERE name = 'data_directory'
    AND (inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8'
        OR inet_server_addr() = '::1')
"""


async def live_schema(connection: Connection) -> str:
    """Return the schema the live tables are in; raises `StoreRefused` where there are none."""
    found = await connection.fetchval(
        "SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE c.oid = to_regclass('pipeline_executions')"
    )
    if found is None:
        raise StoreRefused(
            "There are no rows to compare with or to replace; run `python -m tracker_service "
            "migrate` first."
        )
    return str(found)


async def check_rights(connection: Connection, live: str) -> None:
    """Raise `StoreRefused` if this role may not replace the tables."""
    lacking = await connection.fetchval(_LACKING, live, list(TABLE_NAMES))
    if lacking:
        raise StoreRefused(
            f"This database role lacks {lacking}; rebuild as the role that migrates "
            "(steplog_owner in deploy/postgres/roles.sql)."
        )


async def check_views(connection: Connection, live: str) -> None:
    """Raise `StoreRefused` if views would go on reading the replaced tables."""
    views = await connection.fetchval(_VIEWS, live, list(TABLE_NAMES))
    if views:
        raise StoreRefused(
            f"The views {views} read the tables that would be replaced and would go on reading the "
            "old ones; drop them, rebuild, and make them again."
        )


async def estimated_bytes(connection: Connection, live: str, events: int) -> int:
    """Return how much the new tables may take: what the live ones do, or by events if more."""
    size = await connection.fetchval(_SIZE, live, list(TABLE_NAMES)) or 0
    return int(MARGIN * max(int(size), events * BYTES_PER_EVENT))


async def data_folder(connection: Connection) -> str | None:
    """Return the server's data folder if it is on this machine and may be known."""
    found = await connection.fetchval(_FOLDER)
    return None if found is None else str(found)


async def projection_version(connection: Connection) -> int:
    """Return which version of the fold made the live rows."""
    return int(await connection.fetchval("SELECT projection_version FROM read_model"))
