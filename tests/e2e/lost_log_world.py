"""A broker of its own whose log can lose records, with services on it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from steplog.local.child import Child
from steplog.local.kafka import KafkaServer
from steplog.local.server import start_server
from tests.e2e.lost_tail import cut_tail, end_on_disk
from tests.integration.test_tracker_refusals import free_port
from tests.services import Services, create_topics

# Six seconds is the least a broker grants, so that members that are gone are missed soon.
QUICK = {
    "STEPLOG_TRACKER_SESSION_TIMEOUT_S": "6",
    "STEPLOG_TRACKER_REBALANCE_TIMEOUT_S": "10",
    "STEPLOG_SESSION_TIMEOUT_MS": "6000",
}


@dataclass
class LossyWorld:
    """One broker, one database, the services."""

    kafka: KafkaServer
    broker: Child
    services: Services
    metrics_port: int

    @property
    def log_dir(self) -> Path:
        """Where the broker keeps its log."""
        return self.kafka.folder / "log"

    async def lose_tail(self, topic: str, partition: int, records: int) -> int:
        """Cut a partition's newest records while the broker is down; return where it ends then."""
        os.kill(self.broker.pid, signal.SIGKILL)
        self.broker.stop()
        end = end_on_disk(self.log_dir, topic, partition)
        ends_at = cut_tail(self.log_dir, topic, partition, end - records)
        self.broker = await asyncio.to_thread(start_server, self.kafka)  # type: ignore[arg-type]
        return ends_at

    async def worker_says(self) -> tuple[int, str]:
        """Return status and text of the worker's /readyz."""
        async with httpx.AsyncClient() as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{self.metrics_port}/readyz")
            except httpx.TransportError:
                return 0, ""
        return answer.status_code, answer.text

    async def fetch(self, query: str) -> list[asyncpg.Record]:
        """Ask the database."""
        connection = await asyncpg.connect(self.services.database_url)
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()


@asynccontextmanager
async def lossy_world(
    folder: Path, database_url: str, namespace: str, step_modules: str, partitions: int = 1
) -> AsyncIterator[LossyWorld]:
    """Yield a world with topics and nothing on them; nothing is left running."""
    kafka = KafkaServer(folder / "kafka")
    broker = await asyncio.to_thread(start_server, kafka)
    port = free_port()
    services = Services(
        kafka.address,
        database_url,
        namespace,
        folder,
        step_modules,
        partitions=partitions,
        extra_environment={**QUICK, "STEPLOG_TRACKER_METRICS_PORT": str(port)},
    )
    world = LossyWorld(kafka, broker, services, port)  # type: ignore[arg-type]
    try:
        await create_topics(kafka.address, services.topics)
        yield world
    finally:
        await asyncio.to_thread(services.stop_all)
        await asyncio.to_thread(world.broker.stop)
