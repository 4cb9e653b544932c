"""Values larger than any event, through executor, log and tracker, and back."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from steplog.client.addresses import Addresses
from steplog.client.client import Steplog
from steplog.errors import BadInput
from steplog.local.ports import free_ports
from steplog_contracts.payload import JsonObject
from steplog_contracts.topics import topics_for
from tests.conftest import ServicesFactory
from tests.e2e.large_steps import MEGABYTES, ROW
from tests.e2e.rows import row_with_status
from tests.services import Services, create_topics
from tracker_service import ExecutionTracker

GIVEN = "g" * 2_000_000
WANTED_ROWS = [ROW] * (MEGABYTES * 1_024)
pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]


def definition() -> JsonObject:
    """Return two steps, the first of which makes much."""
    module = "tests.e2e.large_steps"
    return {
        "name": "large",
        "steps": [
            {"id": "produce", "module": module, "step_class": "Produce"},
            {"id": "count", "module": module, "step_class": "Count"},
        ],
        "flow": {
            "start_at": "produce",
            "paths": [{"from_step": "produce", "to_step": "count"}],
        },
    }


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Return the folder that all services share."""
    return str(tmp_path / "payloads")


@pytest.fixture
async def services(make_services: ServicesFactory, store: str) -> Services:
    """Return a running executor and tracker that know the store."""
    services = make_services("tests.e2e.large_steps", STEPLOG_PAYLOAD_STORE=store)
    await create_topics(services.bootstrap_servers, services.topics)
    services.start_executor()
    services.start_tracker()
    return services


@pytest.fixture
async def api(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the API, which a test starts once there are rows."""
    [port] = free_ports(1)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client


async def test_five_megabytes_go_through_the_pair_and_come_back(
    services: Services, api: httpx.AsyncClient, store: str
) -> None:
    addresses = Addresses(services.bootstrap_servers, str(api.base_url), services.topics, store)
    async with Steplog.connect(addresses) as steplog:
        await steplog.run(definition(), {"given": GIVEN}, execution_id="big-1")
    await _completed(services.database_url, "big-1")
    services.start_api(api.base_url.port or 0)
    execution = await _execution(api, "big-1")
    reference = execution["references"]["/output_data/rows"]
    answer = await api.get(f"/api/executions/big-1/payloads/{reference['sha256']}")
    async with ExecutionTracker(services.database_url, store) as tracker:
        resolved = await tracker.get_execution("big-1", resolve=True)

    counts = {"count": len(GIVEN), "characters": len(ROW) * len(WANTED_ROWS)}
    shown = execution["output_data"]
    assert shown["rows"] == {"$stored": reference}
    assert shown | counts == shown
    assert json.loads(answer.content) == WANTED_ROWS
    assert resolved is not None
    assert resolved["output_data"]["rows"] == WANTED_ROWS
    assert resolved["input_data"] == {"given": GIVEN}


async def _completed(database_url: str, execution_id: str) -> None:
    database = await asyncpg.connect(database_url)
    await row_with_status(database, execution_id, "completed")
    await database.close()


async def _execution(api: httpx.AsyncClient, execution_id: str) -> Any:
    """Return an execution once the API answers."""
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await api.get(f"/api/executions/{execution_id}")
                return answer.json()["execution"]
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def test_without_a_store_a_command_that_is_too_large_is_refused_with_the_remedy(
    kafka_bootstrap: str,
) -> None:
    nowhere = Addresses(kafka_bootstrap, "http://127.0.0.1:1", topics_for(uuid.uuid4().hex))
    async with Steplog.connect(nowhere) as steplog:
        with pytest.raises(BadInput, match="STEPLOG_PAYLOAD_STORE"):
            await steplog.run(definition(), {"given": GIVEN})
