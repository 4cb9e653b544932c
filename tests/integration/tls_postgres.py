"""A real PostgreSQL that lets nobody in but by TLS, and some only with a client's certificate.

The programs are those of Debian's package: the ones that pip installs know no TLS.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from steplog.local.child import Child, Program
from steplog.local.launcher import launcher_argv
from steplog.local.ports import LOOPBACK, free_ports
from steplog.local.system_user import unprivileged_user
from tests.steplog_kafka.certificates import DAY, Authority, Certified

PASSWORD = "p4ss:word@/'1"  # With what has a meaning in a URL.
BY_PASSWORD, BY_CERTIFICATE = "postgres", "certified"
START_TIMEOUT_S = 60.0
POLL_S = 0.1
FOLDERS = ("/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/pgsql")
NOT_FOUND = (
    "No PostgreSQL with TLS is on this machine; install the package postgresql (apt-get install "
    "postgresql), whose programs lie in /usr/lib/postgresql/VERSION/bin."
)
_ACCESS = f"""\
local all all trust
hostssl all {BY_CERTIFICATE} all cert
hostssl all all all scram-sha-256
"""


@dataclass(frozen=True)
class TlsPostgres:
    """Where the server is, and who signs for it and for its clients."""

    port: int
    authority: Authority
    certificates: Path

    def url(self, user: str = BY_PASSWORD, password: str | None = PASSWORD, **query: object) -> str:
        """Return the URL of a user; the authority is known and checked unless the query differs."""
        given = {"sslmode": "verify-full", "sslrootcert": self.authority.file, **query}
        login = user if password is None else f"{user}:{quote(password, safe='')}"
        return f"postgresql://{login}@{LOOPBACK}:{self.port}/postgres?{urlencode(given)}"

    def url_by_certificate(self, shown: Certified, **query: object) -> str:
        """Return the URL of the user who comes with a certificate and no password."""
        files = {"sslcert": shown.certificate, "sslkey": shown.key}
        return self.url(BY_CERTIFICATE, None, **files, **query)


def programs() -> Path:
    """Return the folder of the newest server's programs; fails with what to install."""
    found = [one.parent for folder in FOLDERS for one in Path(folder).glob("*/bin/postgres")]
    assert found, NOT_FOUND
    return max(found, key=lambda one: [int(n) for n in one.parent.name.split(".") if n.isdigit()])


@contextmanager
def tls_postgres(certificates: Path, *, expired: bool = False) -> Iterator[TlsPostgres]:
    """Yield a server on a port of its own; with `expired` its certificate is no longer good."""
    bin_folder, user = programs(), unprivileged_user()
    authority = Authority(certificates)
    own = authority.issue("server", valid=(-2 * DAY, -DAY / 2) if expired else (-DAY, DAY))
    # Not in a folder of pytest: the server runs as a user that could not enter those.
    with tempfile.TemporaryDirectory(prefix="tls-postgres-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        data = folder / "data"
        data.mkdir(mode=0o700)
        _given_to(user, data)
        _make_cluster(bin_folder, data, folder, user)
        for file, target in {own.certificate: "server.crt", own.key: "server.key"}.items():
            shutil.copyfile(file, data / target)
        shutil.copyfile(authority.file, data / "clients.crt")
        (data / "pg_hba.conf").write_text(_ACCESS)
        for file in ("server.crt", "server.key", "clients.crt", "pg_hba.conf"):
            (data / file).chmod(0o600)
            _given_to(user, data / file)
        (port,) = free_ports(1)
        child = Child.start(_server(bin_folder, data, folder, port, user))
        try:
            _wait_for(bin_folder, data, port, child)
            yield TlsPostgres(port, authority, certificates)
        finally:
            child.stop()


def _make_cluster(bin_folder: Path, data: Path, folder: Path, user: str | None) -> None:
    password = folder / "password"
    password.write_text(PASSWORD)
    _given_to(user, password)
    argv = (
        *(str(bin_folder / "initdb"), "-D", str(data), "-U", BY_PASSWORD, "--no-sync"),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", f"--pwfile={password}"),
    )
    done = subprocess.run(
        launcher_argv(argv, user=user), capture_output=True, timeout=START_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def _server(bin_folder: Path, data: Path, folder: Path, port: int, user: str | None) -> Program:
    settings = {
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": str(data),
        "fsync": "off",
        "ssl": "on",
        "ssl_ca_file": "clients.crt",
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    return Program(
        name="postgres",
        argv=(str(bin_folder / "postgres"), "-D", str(data), "-p", str(port), *options),
        log_path=folder / "postgres.log",
        user=user,
        stop_signal=signal.SIGINT,
    )


def _wait_for(bin_folder: Path, data: Path, port: int, child: Child) -> None:
    """Return once the server answers, with the user who comes by certificate made."""
    sql = f"CREATE ROLE {BY_CERTIFICATE} SUPERUSER LOGIN"
    argv = [bin_folder / "psql", "-X", "-h", data, "-p", str(port), "-U", BY_PASSWORD, "-c", sql]
    deadline = time.monotonic() + START_TIMEOUT_S
    while subprocess.run([*argv, "postgres"], capture_output=True, check=False).returncode:
        assert child.exit_code is None, child.log_tail()
        assert time.monotonic() < deadline, child.log_tail()
        time.sleep(POLL_S)


def _given_to(user: str | None, path: Path) -> None:
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)
