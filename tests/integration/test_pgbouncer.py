"""The worker and the API through a pooler that gives each transaction any server connection."""

import asyncio
from collections.abc import Iterator

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaProducer

from steplog.local.ports import free_ports
from tests.benchmarks.load import send_all
from tests.conftest import ServicesFactory
from tests.e2e.rows import ended_rows
from tests.e2e.test_pair import commands
from tests.integration.pgbouncer import pooled_postgres
from tests.services import create_topics
from tracker_service.store.errors import StoreRefused
from tracker_service.store.postgres.pool import open_pool
from tracker_service.store.postgres.store import PostgresStore

EXECUTIONS = 60
WAIT_S = 60.0
POOLING = "STEPLOG_DATABASE_POOLING"
pytestmark = [pytest.mark.broker, pytest.mark.database]


@pytest.fixture(scope="module")
def urls() -> Iterator[tuple[str, str]]:
    """Yield the URL through the pooler and the one past it."""
    with pooled_postgres() as found:
        yield found


async def test_worker_and_api_work_through_a_pooler_of_transactions(
    make_services: ServicesFactory, urls: tuple[str, str]
) -> None:
    pooled, direct = urls
    services = make_services(
        "tests.e2e.weather_shape", **{POOLING: "transaction", "DATABASE_URL": pooled}
    )
    await create_topics(services.bootstrap_servers, services.topics)
    # Migrations need a session.
    store = PostgresStore(direct)
    await store.open()
    await store.close()
    services.start_executor()
    services.start_tracker()
    ids, records = commands(EXECUTIONS)
    async with AIOKafkaProducer(bootstrap_servers=services.bootstrap_servers) as producer:
        await send_all(producer, services.topics, records)
    database = await asyncpg.connect(direct)
    try:
        ended = await ended_rows(database, at_least=EXECUTIONS)
    finally:
        await database.close()
    (port,) = free_ports(1)
    services.start_api(port)
    pages = await asyncio.gather(*(api_answers(port) for _ in range(20)))

    assert ended == EXECUTIONS
    assert {len(page) for page in pages} == {len(ids)}
    assert "rows are not checked against the log" in (services.folder / "tracker.log").read_text()


async def test_a_pooler_that_nobody_spoke_of_is_named_with_the_setting(
    urls: tuple[str, str],
) -> None:
    with pytest.raises(StoreRefused) as refused:
        await PostgresStore(urls[0]).open()

    assert f"set {POOLING} to transaction" in str(refused.value)


async def test_the_workers_plans_hold_for_each_statement(
    urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leave nothing behind on the connection that the next client gets."""
    monkeypatch.setenv(POOLING, "transaction")
    pool = await open_pool(
        urls[0], max_connections=2, application="test", by_key_only=True, needs_session=False
    )
    try:
        within = await pool.fetchval("SELECT current_setting('enable_seqscan')")
        async with pool.acquire() as connection, connection.transaction():
            also = await connection.fetchval("SELECT current_setting('jit')")
    finally:
        pool.terminate()
    other = await asyncpg.connect(urls[0], statement_cache_size=0)
    after = await other.fetchval("SELECT current_setting('enable_seqscan')")
    await other.close()

    assert (within, also, after) == ("off", "off", "on")


async def test_what_needs_a_session_is_refused_with_a_remedy(
    urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(POOLING, "transaction")

    with pytest.raises(StoreRefused, match="steplog-rebuild needs a session"):
        await open_pool(urls[0], max_connections=1, application="steplog-rebuild")


async def api_answers(port: int) -> list[object]:
    """Return what the API lists, as soon as it is ready."""
    async with (
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=WAIT_S
        ) as api,
        asyncio.timeout(WAIT_S),
    ):
        while True:
            try:
                if (await api.get("/readyz")).is_success:
                    break
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
        listed: list[object] = (await api.get("/api/executions?limit=100")).json()["items"]
        return listed
