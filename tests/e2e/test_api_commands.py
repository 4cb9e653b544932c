"""Everything over HTTP, on the real pair: start, watch, answer, learn of a refusal."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from steplog.local.ports import free_ports
from tests.conftest import ServicesFactory
from tests.executor.support import people_steps
from tests.executor.support.partition_harness import linear
from tests.services import create_topics
from tests.tracker.serving import stream
from tracker_service.store.postgres.store import PostgresStore

START_TIMEOUT_S = 60.0
pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]


@pytest.fixture
async def api(make_services: ServicesFactory) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the API of a running pair."""
    services = make_services(people_steps.__name__)
    await create_topics(services.bootstrap_servers, services.topics)
    # Whoever is first, worker or API: the tables are there.
    store = PostgresStore(services.database_url)
    await store.open()
    await store.close()
    services.start_executor()
    services.start_tracker()
    (port,) = free_ports(1)
    await asyncio.to_thread(services.wait_ready)
    services.start_api(port)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=START_TIMEOUT_S
    ) as client:
        await _answers(client)
        yield client


async def test_an_execution_is_begun_watched_and_answered_over_http(
    api: httpx.AsyncClient,
) -> None:
    body = {"definition": linear("Ask", "Quick"), "execution_id": "asked"}
    keyed = {"Idempotency-Key": "once"}
    path = "/api/executions?timeout_ms=30000"
    first = await api.post(path, json=body, headers=keyed)
    again = await api.post(path, json=body, headers=keyed)
    refused = await api.post(path, json=body)
    async with stream(str(api.base_url), "/api/executions/asked/stream") as events:
        while (await events.until("execution"))[2]["execution"]["status"] != "waiting_for_human":
            pass
        (pending,) = (await api.get("/api/hitl/pending")).json()
        given = {"human_input": {"ok": True}}
        await api.post(f"/api/hitl/{pending['interaction_id']}/respond", json=given)
        await events.until("end")
    ended = (await api.get("/api/executions/asked")).json()["execution"]
    recorded = (await api.get("/api/executions/asked/events")).json()["items"]

    assert (first.status_code, first.json()["status"]) == (202, "applied")
    assert again.json()["command_id"] == first.json()["command_id"]
    assert (refused.status_code, refused.json()["code"]) == (409, "duplicate_execution")
    assert ended["status"] == "completed"
    assert [event["seq"] for event in recorded] == list(range(1, len(recorded) + 1))


async def _answers(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            try:
                if (await client.get("/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
