"""The read model thrown away, where it shares its file with a log: the log's tables stay."""

import sqlite3
from pathlib import Path

from tracker_service.store.sqlite.database import Database

# How the tables of an embedded log are named; everything else in the file is made from them.
_OF_THE_LOG = "log_"
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


async def drop_read_model(path: Path) -> None:
    """Drop every table of the read model in one transaction, whatever version made it.

    Raises:
        StoreRefused: the file can't be opened.
    """
    database = Database(path)
    await database.open()
    try:
        await database.run(_drop)
    finally:
        await database.close()


def _drop(connection: sqlite3.Connection) -> None:
    names = [row[0] for row in connection.execute(_TABLES)]
    for name in names:
        if not name.startswith(_OF_THE_LOG):
            connection.execute(f'DROP TABLE "{name}"')
