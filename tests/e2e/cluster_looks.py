"""What the tracker says of itself, second by second, beside what the log says just then."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from steplog_contracts.topics import Topic
from tests.e2e.cluster_verdict import Look

LOOK_EVERY_S = 0.4
LOOK_TIMEOUT_S = 2.0


@dataclass
class Lookout:
    """Looks at the API's freshness and at the log's ends."""

    api: httpx.AsyncClient
    topic: Topic
    _consumer: AIOKafkaConsumer
    looks: list[Look] = field(default_factory=list)

    async def look_on(self) -> None:
        """Look again and again; where one of the two does not answer there is nothing to judge."""
        while True:
            with contextlib.suppress(KafkaError, httpx.HTTPError, TimeoutError):
                if (look := await self.look()) is not None:
                    self.looks.append(look)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> Look | None:
        """Return what is said now; None where the API says that it can't tell."""
        before = await self.ends()
        answer = await self.api.get("/api/freshness", timeout=LOOK_TIMEOUT_S)
        at_s = time.monotonic()
        if not answer.is_success:
            return None
        told = answer.json()["freshness"]
        positions = {int(partition): next_ for partition, next_ in told["positions"].items()}
        return Look(
            at_s, told["tracker"], told["gap"], told["lag_s"], positions, before, await self.ends()
        )

    async def ends(self) -> Mapping[int, int]:
        """Return where the log's partitions end; raises `KafkaError` or `TimeoutError`."""
        tps = [TopicPartition(self.topic.name, number) for number in range(self.topic.partitions)]
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            ends = await self._consumer.end_offsets(tps)
        return {tp.partition: end for tp, end in ends.items()}


@asynccontextmanager
async def lookout(
    bootstrap_servers: str, topic: Topic, api: httpx.AsyncClient
) -> AsyncIterator[Lookout]:
    """Yield one that is connected."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, request_timeout_ms=3_000)
    await consumer.start()
    try:
        yield Lookout(api, topic, consumer)
    finally:
        await consumer.stop()
