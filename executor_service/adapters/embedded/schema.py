"""The tables of the log inside the one file, and how a file is recognised as ours.

`application_id` says that a SQLite file is steplog's, `user_version` which form its log has. The
read model's tables lie beside these under migrations of their own.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from executor_service.embedded_errors import FileRefused
from steplog_contracts.private_files import private_file

APPLICATION_ID = 0x53_54_45_50  # "STEP"
FORMAT_VERSION = 1
BUSY_TIMEOUT_S = 10.0
# One statement text for each count of rows up to the largest, for each table.
CACHED_STATEMENTS = 512
# Pages in the write-ahead log before they are copied into the file: 16 MiB, so that the copying,
# which waits for the disk, is seldom in the way of an append.
CHECKPOINT_PAGES = 4_000
TOPICS = ("commands", "events", "parked", "seen", "dead_commands")
_LOG = """
CREATE TABLE log_{topic} (
    log_offset integer PRIMARY KEY,
    record_key blob,
    record_value blob,
    headers text NOT NULL
)
"""
# One row: what a consumer group's commit is on Kafka.
_COMMITTED = """
CREATE TABLE log_committed (
    id integer PRIMARY KEY CHECK (id = 1),
    command_offset integer NOT NULL,
    mark integer NOT NULL,
    epoch integer,
    ids_through integer NOT NULL,
    ids_from integer NOT NULL
)
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for appending, making it where there is none.

    Raises:
        FileRefused: it is no steplog file, of another version, or can't be written.
    """

    def prepare(connection: sqlite3.Connection) -> None:
        _recognise(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        # Each commit is on the disk before it is acknowledged.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        _create(connection)

    return _connected(path, "rwc", prepare)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a file that is there, to read what it holds, whoever appends to it meanwhile.

    Raises:
        FileRefused: it is no steplog file, or of another version.
    """
    return _connected(path, "ro", lambda connection: _recognise(connection, path))


def _connected(
    path: Path, mode: str, prepare: Callable[[sqlite3.Connection], None]
) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    if mode == "rwc":
        # SQLite gives -wal and -shm the mode of the file; what can't be made, it tells itself.
        with suppress(OSError):
            private_file(path)
    try:
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )
    except sqlite3.Error as error:
        raise refused(path, error) from error
    try:
        prepare(connection)
    except sqlite3.Error as error:
        connection.close()
        raise refused(path, error) from error
    except FileRefused:
        connection.close()
        raise
    return connection


def refused(path: Path, error: sqlite3.Error) -> FileRefused:
    """Return what a person can do about SQLite's complaint at opening."""
    text = str(error)
    if "not a database" in text:
        return FileRefused(f"{path} is no steplog file (no SQLite database); name another file.")
    if "readonly" in text or "unable to open" in text:
        return FileRefused(
            f"{path} can't be written; check that it is a file, and the rights of it and of its "
            "folder."
        )
    if "full" in text:
        return FileRefused(f"There is no room for {path}; make room and start again.")
    return FileRefused(f"{path} can't be used: {text}; restore it from a copy, or name another.")


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application_id != APPLICATION_ID:
        raise FileRefused(
            f"{path} is a SQLite database of another program; name another file with --data."
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT_VERSION:
        raise FileRefused(
            f"{path} was written by a newer steplog (format {version}, this one knows "
            f"{FORMAT_VERSION}); upgrade steplog, or name another file with --data."
        )


def _create(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0] == FORMAT_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    for topic in TOPICS:
        connection.execute(_LOG.format(topic=topic))
    connection.execute(_COMMITTED)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    connection.execute("COMMIT")
