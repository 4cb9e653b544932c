"""The API on a real log and real rows: events, the past, and what is left once retention removed
the log's beginning."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from steplog.admin.topics import apply_topics
from steplog.local.ports import free_ports
from steplog_contracts.topics import topics_for
from tests.conftest import ServicesFactory
from tests.integration.test_archives_on_kafka import append
from tests.services import Services
from tests.tracker.http_api.test_as_of_api import T, a_log

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
READY_WITHIN_S = 60.0
LOOK_S = 0.1


@pytest.fixture
async def services(make_services: ServicesFactory, topic_namespace: str) -> Services:
    """Return a tracker at work on a small log in one partition."""
    services = make_services("none")
    services.partitions = 1
    topics = topics_for(topic_namespace, 1)
    await apply_topics(services.bootstrap_servers, tuple(topics))
    await append(services.bootstrap_servers, topics, a_log().entries)
    services.start_tracker()
    return services


@pytest.fixture
async def api(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the API, once the rows are there."""
    port = free_ports(1)[0]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        async with asyncio.timeout(READY_WITHIN_S):
            await rows_are_there(services, client, port)
        yield client


async def rows_are_there(services: Services, client: httpx.AsyncClient, port: int) -> None:
    """Return once the API answers with the last execution; before the schema it ends at once."""
    child = None
    while True:
        if child is None or child.exit_code is not None:
            child = services.start_api(port)
        try:
            found = await client.get("/api/executions/e-2", params={"at_least": "0:12"})
            if found.status_code == 200 and found.json()["execution"]["seq"] == 4:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(LOOK_S)


async def test_what_retention_removed_is_told_from_the_rows(
    services: Services, api: httpx.AsyncClient
) -> None:
    recorded = (await api.get("/api/executions/e-1/events")).json()["items"]
    whole = await stood(api)
    await remove_before(services, 4)
    gone = await api.get("/api/executions/e-1/events")
    left = await stood(api)

    assert [event["seq"] for event in recorded] == [1, 2, 3, 4, 5, 6]
    assert (whole["past"]["told_from"], whole["execution"]["seq"]) == ("log", 3)
    assert (gone.status_code, "the log begins at 4" in gone.json()["detail"]) == (410, True)
    assert left["past"]["told_from"] == "rows"
    for name in ("status", "completed_steps", "output_data", "current_step"):
        assert left["execution"][name] == whole["execution"][name]
    assert left["steps"] == whole["steps"]


async def stood(api: httpx.AsyncClient) -> dict[str, Any]:
    answer = await api.get("/api/executions/e-1", params={"as_of": T.format(3)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def remove_before(services: Services, offset: int) -> None:
    """Do at once what retention does in time."""
    admin = AIOKafkaAdminClient(bootstrap_servers=services.bootstrap_servers)
    await admin.start()
    place = TopicPartition(services.topics.events.name, 0)
    await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
    await admin.close()
