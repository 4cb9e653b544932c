"""Executions written straight to a real events topic, and the rows they must become."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
from aiokafka import AIOKafkaProducer

from steplog.local.child import Child
from steplog_contracts.envelope import Record
from tests.services import Services, create_topics
from tests.tracker.histories import History, interleaved

STEPS = 5
EVENTS_PER_EXECUTION = 2 + 2 * STEPS
WAIT_TIMEOUT_S = 60.0
POLL_S = 0.05


@dataclass
class Load:
    """Writes whole executions, a few at a time, spread over all partitions."""

    services: Services
    executions: int = 0
    partitions: dict[int, int] = field(default_factory=dict)

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[AIOKafkaProducer]:
        """Yield a producer."""
        producer = AIOKafkaProducer(bootstrap_servers=self.services.bootstrap_servers, acks="all")
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()

    async def write(self, count: int, pause_s: float = 0.0) -> None:
        """Write executions in groups of 20 in one partition after another."""
        async with self.producer() as producer:
            for start in range(0, count, 20):
                group = [History(f"x-{self.executions + n}") for n in range(min(20, count - start))]
                partition = (self.executions // 20) % self.services.partitions
                records = list(interleaved([history.whole(STEPS) for history in group]))
                await self.append(producer, partition, records)
                self.executions += len(group)
                await asyncio.sleep(pause_s)

    async def append(
        self, producer: AIOKafkaProducer, partition: int, records: list[Record]
    ) -> None:
        """Append records to a partition."""
        topic = self.services.topics.events.name
        sent = [
            await producer.send(topic, r.value, key=r.key, headers=r.headers, partition=partition)
            for r in records
        ]
        await asyncio.gather(*sent)
        self.partitions[partition] = self.partitions.get(partition, 0) + len(records)


async def prepared(services: Services) -> Load:
    """Return a load on new topics."""
    await create_topics(services.bootstrap_servers, services.topics)
    return Load(services)


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, poll_s: float = POLL_S
) -> float:
    """Wait for a condition; return the seconds it took."""
    began_s = time.monotonic()
    while not await condition():
        if time.monotonic() - began_s > WAIT_TIMEOUT_S:
            raise AssertionError(f"not within {WAIT_TIMEOUT_S} s: {what}")
        await asyncio.sleep(poll_s)
    return time.monotonic() - began_s


async def caught_up(load: Load) -> bool:
    """Whether every record written is applied; False while the database is away."""
    try:
        connection = await asyncpg.connect(load.services.database_url, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    try:
        applied = dict(
            await connection.fetch("SELECT partition, next_offset FROM projection_positions")
        )
    except asyncpg.PostgresError:
        return False
    finally:
        await connection.close()
    return all(applied.get(p) == count for p, count in load.partitions.items())


async def totals(database_url: str) -> dict[str, int]:
    """Return sums over all rows, for comparison with what was written."""
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(
            """
            SELECT
                (SELECT count(*) FROM pipeline_executions WHERE status = 'completed') AS completed,
                (SELECT count(*) FROM pipeline_executions) AS executions,
                (SELECT sum(completed_steps) FROM pipeline_executions)::int AS counted_steps,
                (SELECT count(*) FROM step_executions WHERE status = 'completed') AS steps,
                (SELECT count(*) FROM dead_letters) AS dead_letters
            """
        )
    finally:
        await connection.close()
    assert row is not None
    return dict(row)


def expected_totals(load: Load) -> dict[str, int]:
    """Return what `totals` must find."""
    steps = load.executions * STEPS
    return {
        "completed": load.executions,
        "executions": load.executions,
        "counted_steps": steps,
        "steps": steps,
        "dead_letters": 0,
    }


def kill(child: Child) -> None:
    """End a process at once, as the kernel does when memory is out."""
    os.kill(child.pid, signal.SIGKILL)
    child.stop()  # Only to collect what is left of it.
