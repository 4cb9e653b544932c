"""A real PgBouncer in transaction mode before a real PostgreSQL."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from steplog.local.ports import free_ports
from steplog.local.postgres import PostgresServer
from steplog.local.server_choice import running
from steplog.local.system_user import unprivileged_user

START_TIMEOUT_S = 30.0
# Fewer than the clients have, so that they are given each other's.
SERVER_CONNECTIONS = 3
PROGRAM_FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/bin"


@contextmanager
def pooled_postgres(**settings: str) -> Iterator[tuple[str, str]]:
    """Yield two URLs of one database: through the pooler, and past it."""
    # Not in a folder of pytest: the pooler runs as a user that could not enter those.
    with tempfile.TemporaryDirectory(prefix="pooled-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = PostgresServer(folder / "postgres")
        server.program()
        # Its own rule goes by the user of the process, and the pooler's is another.
        (server.folder / "pg_hba.conf").write_text("local all all trust\n")
        with running(server) as direct:
            socket_folder = parse_qs(urlsplit(direct).query)["host"][0]
            (port,) = free_ports(1)
            with _pooler(folder, socket_folder, port, settings):
                yield f"postgresql://postgres@127.0.0.1:{port}/postgres", direct


@contextmanager
def _pooler(
    folder: Path, socket_folder: str, port: int, settings: dict[str, str]
) -> Iterator[None]:
    given = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "transaction",
        "default_pool_size": str(SERVER_CONNECTIONS),
        **settings,
    }
    lines = [f"{name} = {value}" for name, value in given.items()]
    database = f"[databases]\n* = host={socket_folder} user=postgres\n[pgbouncer]\n"
    file = folder / "pgbouncer.ini"
    file.write_text(database + "\n".join(lines) + "\n")
    program = shutil.which("pgbouncer", path=PROGRAM_FOLDERS)
    assert program is not None, "install the package pgbouncer"
    user = unprivileged_user()
    argv = [program, *(["-u", user] if user else []), str(file)]
    with (
        (folder / "pgbouncer.log").open("wb") as log,
        subprocess.Popen(argv, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_for(port, process, folder / "pgbouncer.log")
            yield
        finally:
            process.terminate()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return
