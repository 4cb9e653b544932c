"""Real servers for tests: one broker and one database server in a session.

The order of choice is the product's own: given addresses, a Docker engine, servers started here.
A test that needs one fails when none can be had. Each test has a database and a topic namespace of
its own, so no test sees what another left.
"""

import asyncio
import signal
import uuid
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from steplog.admin.topics import apply_topics
from steplog.local.server_choice import choose_kafka, choose_postgres, running
from steplog_contracts.topics import Topics, topics_for
from tests.services import Services

# A shell ignores Ctrl-C for what it starts in the background, and programs under test inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Enough for two owners of several partitions each.
TEST_PARTITIONS = 4
DURABILITY_OFF = (
    "ALTER SYSTEM SET fsync = off",
    "ALTER SYSTEM SET full_page_writes = off",
    "SELECT pg_reload_conf()",
)
ServicesFactory = Callable[..., Services]


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the bootstrap address of a real broker."""
    with running(choose_kafka(tmp_path_factory.mktemp("kafka"))) as address:
        yield address


@pytest.fixture(scope="session")
def postgres_server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a database on a real server where more can be created."""
    server = choose_postgres(tmp_path_factory.mktemp("postgres"))
    with running(server) as address:
        # A server that the tests made loses nothing that anybody misses when the power goes.
        if server.kind != "given":
            run_apart(_execute(address, *DURABILITY_OFF))
        yield address


@pytest.fixture
def topic_namespace() -> str:
    """Return a topic namespace nobody else uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """Yield the URL of an empty database that is dropped at the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    run_apart(_execute(server_url, f'CREATE DATABASE "{name}"'))
    yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    run_apart(_execute(server_url, f'DROP DATABASE "{name}" WITH (FORCE)'))


def run_apart(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end beside a loop that may run here: async fixtures ask for others."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(asyncio.run, work).result()


async def _execute(server_url: str, *statements: str) -> None:
    admin = await asyncpg.connect(server_url)
    try:
        for sql in statements:
            await admin.execute(sql)
    finally:
        await admin.close()


@pytest.fixture
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """Return the URL of an empty database that is dropped after the test."""
    with database(postgres_server_url) as url:
        yield url


@pytest.fixture
async def topics(kafka_bootstrap: str, topic_namespace: str) -> Topics:
    """Return the topics of a namespace of the test's own, created on the real broker."""
    declared = topics_for(topic_namespace, TEST_PARTITIONS)
    await apply_topics(kafka_bootstrap, tuple(declared))
    return declared


@pytest.fixture
def make_services(
    kafka_bootstrap: str, postgres_url: str, topic_namespace: str, tmp_path: Path
) -> Iterator[ServicesFactory]:
    """Return a function (step modules, environment) -> services; none is left running."""
    made: list[Services] = []

    def make(step_modules: str, **environment: str) -> Services:
        services = Services(
            kafka_bootstrap,
            postgres_url,
            topic_namespace,
            tmp_path,
            step_modules,
            extra_environment=environment,
        )
        made.append(services)
        return services

    yield make
    for services in made:
        services.stop_all()
