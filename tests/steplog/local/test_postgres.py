"""A local PostgreSQL keeps its data, fits any folder and leaves no process."""

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from steplog.errors import ServerNotStarted
from steplog.local import postgres_programs
from steplog.local.postgres import PostgresServer
from steplog.local.postgres_access import MAX_SOCKET_PATH_BYTES, socket_folder
from steplog.local.server import start_server
from steplog.local.system_user import unprivileged_user

pytestmark = pytest.mark.database


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Return a folder whose path leaves room for a socket's; that of a test can be too long."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


async def test_data_is_there_after_a_restart(tmp_path: Path) -> None:
    statements = ("CREATE TABLE kept AS SELECT 7 AS n", "SELECT n FROM kept")
    server, answers = PostgresServer(tmp_path / "postgres", database="steplog"), []
    for statement in statements:
        running = start_server(server)
        connection = await asyncpg.connect(server.address)
        answers.append(await connection.fetchval(statement))
        await connection.close()
        running.stop()

    assert answers[-1] == 7


async def test_a_folder_too_deep_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    """The kernel's limit is 108 bytes, and continuous integration loves deep folders."""
    deep = tmp_path / ("deep" * 20) / ("deeper" * 10)
    server = PostgresServer(deep)
    running = start_server(server)
    connection = await asyncpg.connect(server.address)
    version = await connection.fetchval("SHOW server_version_num")
    await connection.close()
    running.stop()

    assert int(version) >= 180000
    assert len(str(server.socket_folder)) < MAX_SOCKET_PATH_BYTES
    assert PostgresServer(deep).socket_folder == server.socket_folder, "noted, so clients find it"
    assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((deep / "socket.path").stat().st_mode) == 0o600


def test_a_stopped_server_leaves_no_process(tmp_path: Path) -> None:
    running = start_server(PostgresServer(tmp_path))
    assert running.pid is not None
    family = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]

    running.stop()

    assert [one for one in family if one.is_running()] == []
    assert running.exit_code == 0


def test_only_its_owner_reaches_the_socket(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path)
    running = start_server(server)
    mode = server.socket_folder.stat().st_mode
    running.stop()

    assert mode & 0o077 == 0


def _made_beforehand(path: Path, mode: int) -> None:
    path.mkdir(parents=True)
    path.chmod(mode)


@pytest.mark.parametrize("name", ["socket", "data"])
def test_a_folder_that_others_can_write_is_not_used(short_folder: Path, name: str) -> None:
    _made_beforehand(short_folder / name, 0o777)

    with pytest.raises(ServerNotStarted, match="Others on this machine may write"):
        PostgresServer(short_folder).program()


def test_a_link_in_place_of_the_sockets_folder_is_not_used(short_folder: Path) -> None:
    (short_folder / "elsewhere").mkdir()
    (short_folder / "postgres").mkdir(mode=0o700)
    (short_folder / "postgres" / "socket").symlink_to(short_folder / "elsewhere")

    with pytest.raises(ServerNotStarted, match="no folder of its own"):
        PostgresServer(short_folder / "postgres").program()


def test_a_noted_folder_that_others_can_write_is_replaced(tmp_path: Path) -> None:
    """Whoever made it since holds a socket's place there; a new name can't be known beforehand."""
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    first = socket_folder(deep)
    first.chmod(0o777)

    second = socket_folder(deep)

    assert second != first
    first.rmdir()
    second.rmdir()


async def test_the_server_has_no_right_that_its_user_lacks(tmp_path: Path) -> None:
    """Started by root, neither it nor what it starts can pass a folder closed to its user."""
    server = PostgresServer(tmp_path / "postgres")
    running = start_server(server)
    connection = await asyncpg.connect(server.address)
    await connection.execute("CREATE TABLE rights (line text)")
    program = "grep ^Cap /proc/self/status"
    await connection.execute(f"COPY rights FROM PROGRAM '{program}' (DELIMITER '|')")
    rights = {
        row["line"].split(":")[0]: int(row["line"].split()[1], 16)
        for row in await connection.fetch("SELECT * FROM rights")
    }
    await connection.close()
    running.stop()

    assert [rights[name] for name in ("CapEff", "CapPrm", "CapAmb")] == [0, 0, 0]


def test_only_whoever_runs_the_stack_is_let_in(tmp_path: Path) -> None:
    """Were the socket's folder open to all, the kernel would still name the caller."""
    server = PostgresServer(tmp_path / "postgres")
    running = start_server(server)
    hba = (tmp_path / "postgres" / "pg_hba.conf").read_text()
    user = unprivileged_user()
    said = _asked_as(user, server) if user is not None else "peer authentication failed"
    running.stop()

    assert "trust" not in hba
    assert "eer authentication failed" in said


def _asked_as(user: str, server: PostgresServer) -> str:
    psql = str(postgres_programs.programs(user) / "psql")
    descriptor = os.open(server.socket_folder, os.O_RDONLY)
    argv = [psql, "-h", f"/proc/self/fd/{descriptor}", "-U", "postgres", "-c", "SELECT 1"]
    done = subprocess.run(
        argv,
        user=user,
        group=user,
        extra_groups=[],
        cwd="/",
        pass_fds=[descriptor],
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(descriptor)
    return done.stderr


def test_programs_the_servers_user_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the virtual environment lies in root's home."""
    monkeypatch.setattr(
        postgres_programs,
        "may_enter",
        lambda folder, _user: folder.is_relative_to(tmp_path / "copies"),
    )
    monkeypatch.setattr(postgres_programs, "COPIES", tmp_path / "copies")

    found = [postgres_programs.programs("nobody") for _ in range(2)]

    assert found[0] == found[1]
    assert found[0].is_relative_to(tmp_path / "copies")
    assert (found[0] / "initdb").exists()
    assert list((tmp_path / "copies").glob(".draft*")) == []
