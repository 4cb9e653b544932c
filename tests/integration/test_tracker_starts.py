"""A start that can't be: one sentence naming the thing and the remedy, and no traceback."""

import asyncio
import os
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from steplog_contracts.topics import topics_for
from tests.services import ROOT, create_topics
from tracker_service.bootstrap import LacksExtension, check_extensions
from tracker_service.store.postgres.store import PostgresStore

START_TIMEOUT_S = 60.0


@dataclass
class Start:
    """The environment of a tracker process that is not expected to come up."""

    environment: dict[str, str] = field(default_factory=dict)

    async def says(self, process: str, **changed: str) -> str:
        """Return what the process wrote before it ended with an error."""
        started = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tracker_service",
            process,
            env={**os.environ, **self.environment, **changed},
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await asyncio.wait_for(started.communicate(), START_TIMEOUT_S)
        text = told.decode()
        assert started.returncode not in (0, None)
        assert "Traceback" not in text
        return text


@pytest.fixture
async def start(
    kafka_bootstrap: str, postgres_url: str, topic_namespace: str, tmp_path: Path
) -> Start:
    """Return an environment in which a start would succeed."""
    await create_topics(kafka_bootstrap, topics_for(topic_namespace, 2))
    return Start(
        {
            "PYTHONPATH": str(ROOT),
            "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
            "DATABASE_URL": postgres_url,
            "STEPLOG_TOPIC_NAMESPACE": topic_namespace,
            "STEPLOG_TRACKER_DATA_FOLDER": str(tmp_path),
            "STEPLOG_API_PORT": "0",
        }
    )


async def migrated(url: str) -> asyncpg.Connection:
    """Return a connection to a database that has the tables."""
    store = PostgresStore(url)
    await store.open()
    await store.close()
    return await asyncpg.connect(url)


async def test_kafka_is_down(start: Start) -> None:
    told = await start.says("worker", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")

    assert "Kafka does not answer at 127.0.0.1:1" in told
    assert "KAFKA_BOOTSTRAP_SERVERS" in told


@pytest.mark.parametrize("process", ["worker", "api", "migrate"])
async def test_the_database_is_down(start: Start, process: str) -> None:
    told = await start.says(process, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    assert "database can't be opened" in told or "read model is not there" in told
    assert "DATABASE_URL" in told


async def test_the_topic_does_not_exist(start: Start) -> None:
    told = await start.says("worker", STEPLOG_TOPIC_NAMESPACE="nowhere")

    assert "The topic nowhere.events does not exist" in told
    assert "steplog topics apply" in told


async def test_the_topic_has_another_partition_count(start: Start) -> None:
    told = await start.says("worker", STEPLOG_PARTITIONS="3")

    assert "has 2 partitions but STEPLOG_PARTITIONS say 3" in told


async def test_the_schema_is_newer(start: Start, postgres_url: str) -> None:
    connection = await migrated(postgres_url)
    await connection.execute("INSERT INTO schema_migrations VALUES (9999, 'later.sql')")
    await connection.close()

    told = await start.says("worker")

    assert "schema has version 9999, newer than this tracker knows" in told


async def test_the_rows_were_made_by_another_projection(start: Start, postgres_url: str) -> None:
    connection = await migrated(postgres_url)
    await connection.execute("UPDATE read_model SET projection_version = 77")
    await connection.close()

    told = await start.says("worker")

    assert "made by projection version 77" in told
    assert "steplog rebuild" in told


async def test_the_role_may_not_write(start: Start, postgres_url: str) -> None:
    connection = await migrated(postgres_url)
    await connection.execute("DROP ROLE IF EXISTS looker")
    await connection.execute("CREATE ROLE looker LOGIN PASSWORD 'looks'")
    await connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker")
    await connection.close()
    parts = urlsplit(postgres_url)
    host = parts.netloc.rpartition("@")[2]

    told = await start.says(
        "worker", DATABASE_URL=urlunsplit(parts._replace(netloc=f"looker:looks@{host}"))
    )

    assert "may not write pipeline_executions" in told
    assert "grant it" in told


async def test_the_database_is_read_only(start: Start, postgres_url: str) -> None:
    name = urlsplit(postgres_url).path.removeprefix("/")
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await connection.close()

    told = await start.says("worker")

    assert "The database is read-only" in told


async def test_the_port_is_taken(start: Start, postgres_url: str) -> None:
    await (await migrated(postgres_url)).close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        told = await start.says("api", STEPLOG_API_PORT=port)

    assert f"can't listen on 127.0.0.1:{port}" in told
    assert "STEPLOG_API_PORT" in told


async def test_the_tables_are_not_there_yet(start: Start) -> None:
    told = await start.says("api", STEPLOG_API_PORT="0")

    assert "python -m tracker_service migrate" in told


@pytest.mark.parametrize(
    ("variable", "value"),
    [("STEPLOG_API_PORT", "http"), ("STEPLOG_TRACKER_BATCH_MAX_RECORDS", "0")],
)
async def test_a_setting_can_not_be_used(start: Start, variable: str, value: str) -> None:
    told = await start.says("worker", **{variable: value})

    assert f"{variable} has the value '{value}'" in told


async def test_the_data_folder_can_not_be_made(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    told = await start.says("worker", STEPLOG_TRACKER_DATA_FOLDER=str(tmp_path / "file" / "in"))

    assert "STEPLOG_TRACKER_DATA_FOLDER" in told


async def test_a_data_folder_others_may_write_is_refused(start: Start, tmp_path: Path) -> None:
    """Its default lies where everybody on the machine may make it beforehand."""
    folder = tmp_path / "made-beforehand"
    folder.mkdir()
    folder.chmod(0o777)

    told = await start.says("worker", STEPLOG_TRACKER_DATA_FOLDER=str(folder))

    assert "Others on this machine may write" in told


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("aiokafka.record._crecords.default_records", "aiokafka"),
        ("faust._cython.streams", "faust-streaming"),
    ],
)
def test_a_dependency_lacks_its_extension(
    module: str, distribution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None in `sys.modules` is how Python itself marks a module that can't be imported."""
    check_extensions()
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(LacksExtension, match=f"^{distribution} is installed without its C"):
        check_extensions()
