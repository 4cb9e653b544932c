"""A local PostgreSQL keeps its data, fits any folder and leaves no process."""

from pathlib import Path

import asyncpg
import psutil
import pytest

from steplog.local.postgres import MAX_SOCKET_PATH_BYTES, PostgresServer, socket_folder
from steplog.local.server import start_server

pytestmark = pytest.mark.database


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
    assert len(str(socket_folder(deep))) < MAX_SOCKET_PATH_BYTES


def test_a_stopped_server_leaves_no_process(tmp_path: Path) -> None:
    running = start_server(PostgresServer(tmp_path))
    assert running.pid is not None
    family = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]

    running.stop()

    assert [one for one in family if one.is_running()] == []
    assert running.exit_code == 0


def test_only_its_owner_reaches_the_socket(tmp_path: Path) -> None:
    """No password is asked there."""
    running = start_server(PostgresServer(tmp_path))
    mode = socket_folder(tmp_path).stat().st_mode
    running.stop()

    assert mode & 0o077 == 0
