"""The tracker on a real broker and a real database while things break."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from steplog.local.child import Child
from steplog.local.kafka import KafkaServer
from steplog.local.postgres import PostgresServer
from tests.integration.tracker_load import (
    Load,
    caught_up,
    expected_totals,
    kill,
    prepared,
    totals,
    until,
)
from tests.services import Services

# Six seconds is the least a broker grants, so that members that are gone are missed soon.
QUICK = {"STEPLOG_TRACKER_SESSION_TIMEOUT_S": "6", "STEPLOG_TRACKER_REBALANCE_TIMEOUT_S": "10"}


@pytest.fixture
async def load(
    kafka_bootstrap: str, postgres_url: str, topic_namespace: str, tmp_path: Path
) -> AsyncIterator[Load]:
    """Return a load on topics and rows of its own."""
    services = Services(
        kafka_bootstrap, postgres_url, topic_namespace, tmp_path, "none", extra_environment=QUICK
    )
    async with running(services) as prepared_load:
        yield prepared_load


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[tuple[PostgresServer, list[Child]]]:
    """Return a database server that may be killed, and its process."""
    server = PostgresServer(tmp_path / "postgres")
    children = [server.start()]
    yield server, children
    children[-1].stop()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[tuple[KafkaServer, list[Child]]]:
    """Return a broker that may be killed, and its process."""
    server = KafkaServer(tmp_path / "kafka")
    children = [server.start()]
    yield server, children
    children[-1].stop()


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[Load]:
    """Yield a load on new topics; stop whatever was started, however the test ends."""
    try:
        yield await prepared(services)
    finally:
        await asyncio.to_thread(services.stop_all)


async def exact(load: Load) -> None:
    """Wait until all is applied, then compare the rows with what was written."""
    await until(lambda: caught_up(load), "all applied")

    assert await totals(load.services.database_url) == expected_totals(load)


async def test_workers_killed_stopped_and_joined_under_load_lose_and_double_nothing(
    load: Load,
) -> None:
    services = load.services
    services.start_tracker("w1")
    writing = asyncio.create_task(load.write(1500, pause_s=0.15))
    await asyncio.sleep(4)
    services.start_tracker("w2")
    await asyncio.sleep(3)
    kill(services.running.pop("w1"))
    services.start_tracker("w3")
    await asyncio.sleep(3)
    stopped = await asyncio.to_thread(services.stop, "w2")
    await writing

    await exact(load)

    assert stopped == 0


async def test_a_worker_frozen_past_its_session_can_write_nothing_when_it_wakes(
    load: Load,
) -> None:
    services = load.services
    frozen = services.start_tracker("frozen")
    writing = asyncio.create_task(load.write(1200, pause_s=0.15))
    await asyncio.sleep(4)
    os.kill(frozen.pid, signal.SIGSTOP)
    services.start_tracker("successor")
    await asyncio.sleep(9)
    os.kill(frozen.pid, signal.SIGCONT)
    await writing

    await exact(load)


async def test_a_database_killed_and_back_costs_nothing_but_time(
    kafka_bootstrap: str,
    topic_namespace: str,
    tmp_path: Path,
    own_postgres: tuple[PostgresServer, list[Child]],
) -> None:
    server, children = own_postgres
    await until(lambda: asyncio.to_thread(server.is_ready), "PostgreSQL")
    services = Services(
        kafka_bootstrap, server.address, topic_namespace, tmp_path, "none", extra_environment=QUICK
    )
    async with running(services) as load:
        worker = services.start_tracker()
        writing = asyncio.create_task(load.write(600, pause_s=0.15))
        await asyncio.sleep(5)
        kill(children[-1])
        await asyncio.sleep(4)
        children.append(server.start())
        await until(lambda: asyncio.to_thread(server.is_ready), "PostgreSQL again")
        await writing

        await exact(load)

        assert worker.exit_code is None


async def test_a_stop_while_the_database_is_away_is_quick_and_says_try_again(
    kafka_bootstrap: str,
    topic_namespace: str,
    tmp_path: Path,
    own_postgres: tuple[PostgresServer, list[Child]],
) -> None:
    server, children = own_postgres
    await until(lambda: asyncio.to_thread(server.is_ready), "PostgreSQL")
    services = Services(
        kafka_bootstrap, server.address, topic_namespace, tmp_path, "none", extra_environment=QUICK
    )
    async with running(services) as load:
        services.start_tracker("w1")
        await load.write(200)
        await until(lambda: caught_up(load), "all applied")
        kill(children[-1])
        await load.write(200)
        await asyncio.sleep(2)

        code = await asyncio.to_thread(services.stop, "w1")

        assert code == 75
        children.append(server.start())
        await until(lambda: asyncio.to_thread(server.is_ready), "PostgreSQL again")
        services.start_tracker("w2")
        await exact(load)


async def test_a_broker_killed_and_back_costs_nothing_but_time(
    postgres_url: str,
    topic_namespace: str,
    tmp_path: Path,
    own_kafka: tuple[KafkaServer, list[Child]],
) -> None:
    server, children = own_kafka
    await until(lambda: asyncio.to_thread(server.is_ready), "Kafka")
    services = Services(
        server.address, postgres_url, topic_namespace, tmp_path, "none", extra_environment=QUICK
    )
    async with running(services) as load:
        worker = services.start_tracker()
        await load.write(200)
        await until(lambda: caught_up(load), "all applied")
        kill(children[-1])
        await asyncio.sleep(4)
        children.append(server.start())
        await until(lambda: asyncio.to_thread(server.is_ready), "Kafka again")
        await load.write(200)

        await exact(load)

        assert worker.exit_code is None
