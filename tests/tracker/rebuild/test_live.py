"""A rebuild while a worker applies events and an API answers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import pytest

from steplog.local.ports import free_ports
from tests.integration.tracker_load import Load, caught_up, expected_totals, prepared, totals, until
from tests.services import Services
from tests.tracker.rebuild.world import World
from tracker_service.rebuild.request import Report

pytestmark = [pytest.mark.broker, pytest.mark.database, pytest.mark.e2e]
PARTITIONS = 4
BETWEEN_S = 0.02


@dataclass
class Asking:
    """Asks the API all the time and keeps every answer that is not a full list."""

    url: str
    wrong: list[str] = field(default_factory=list)
    answers: int = 0

    async def ask(self) -> None:
        """Ask until cancelled."""
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            while True:
                for path, key in (("/api/executions?limit=20", "items"), ("/readyz", None)):
                    answer = await client.get(path)
                    self._judge(answer, key)
                await asyncio.sleep(BETWEEN_S)  # Below the rate the API allows.

    def _judge(self, answer: httpx.Response, key: str | None) -> None:
        self.answers += 1
        if answer.status_code != 200 or (key and len(answer.json()[key]) < 20):
            self.wrong.append(f"{answer.request.url} {answer.status_code} {answer.text[:200]}")


@pytest.fixture
async def load(
    kafka_bootstrap: str, postgres_url: str, topic_namespace: str, tmp_path: Path
) -> AsyncIterator[Load]:
    """Return a load on a running worker and a running API."""
    services = Services(
        kafka_bootstrap, postgres_url, topic_namespace, tmp_path, "none", partitions=PARTITIONS
    )
    try:
        load = await prepared(services)
        services.start_tracker()
        await load.write(400)
        await until(lambda: caught_up(load), "the first executions in the rows")
        yield load
    finally:
        await asyncio.to_thread(services.stop_all)


async def rebuilt_twice(world: World) -> list[Report]:
    """Rebuild, and again over the tables of the first."""
    return [await world.rebuild(max_pause_s=5.0) for _ in range(2)]


async def test_under_load_it_equals_the_live_rows_and_no_answer_is_wrong(load: Load) -> None:
    services = load.services
    world = World(services.bootstrap_servers, services.database_url, services.topics)
    (port,) = free_ports(1)
    services.start_api(port)
    asking = Asking(f"http://127.0.0.1:{port}")
    await until(lambda: answers(asking.url), "the API")
    asked = asyncio.create_task(asking.ask())
    writing = asyncio.create_task(load.write(1000, pause_s=0.1))

    reports = await rebuilt_twice(world)
    await writing
    await until(lambda: caught_up(load), "all applied")
    asked.cancel()
    await asyncio.wait([asked])

    assert asked.cancelled()  # And has not ended by itself before.
    assert [(report.swapped, report.tally.total) for report in reports] == [(True, 0)] * 2
    assert asking.wrong == []
    assert asking.answers > 20
    assert await totals(services.database_url) == expected_totals(load)
    assert (await world.rebuild(swaps=False)).tally.total == 0


async def answers(url: str) -> bool:
    """Whether the API is up."""
    try:
        async with httpx.AsyncClient(base_url=url) as client:
            return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def test_a_long_query_is_waited_for_and_then_given_way_to(filled: World) -> None:
    """The swap lets go of its locks again and again, so nobody queues behind it for long."""
    reader = await asyncpg.connect(filled.url)
    transaction = reader.transaction()
    await transaction.start()
    await reader.fetch("SELECT 1 FROM step_executions")
    rebuilding = asyncio.create_task(filled.rebuild())
    await until(lambda: wants_to_swap(filled), "the rebuild waits for the reader")

    others = await asyncio.wait_for(filled.fetch("SELECT count(*) FROM step_executions"), 10)
    await transaction.rollback()
    await reader.close()
    report = await rebuilding

    assert others[0][0] > 0
    assert report.swapped


async def wants_to_swap(world: World) -> bool:
    """Whether a lock on the live tables is asked for and not given."""
    waiting = await world.fetch(
        "SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return bool(waiting)


async def test_a_worker_checks_for_drift_by_itself(load: Load) -> None:
    services = load.services
    world = World(services.bootstrap_servers, services.database_url, services.topics)
    await asyncio.to_thread(services.stop, "tracker")
    services.extra_environment = {
        "STEPLOG_TRACKER_DRIFT_INTERVAL_S": "0.2",
        "STEPLOG_TRACKER_DRIFT_SAMPLE": "50",
    }
    await world.fetch("UPDATE pipeline_executions SET pipeline_name = 'forged'")
    services.start_tracker()

    async def found() -> bool:
        return bool(await world.fetch("SELECT 1 FROM drifted_executions"))

    await until(found, "the worker finds rows that differ")

    assert "rows differ from the log" in services.running["tracker"].log_tail()
