"""Events for the tracker's benchmark: 10-step executions, 60 at a time in each partition."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer

from steplog_contracts.envelope import Record
from steplog_contracts.topics import Topics
from tests.tracker.histories import History, interleaved

STEPS = 10
EVENTS_PER_EXECUTION = 2 + 2 * STEPS
TOGETHER = 60
BATCH_BYTES = 500_000


def blocks(partition: int, *, stamp: str) -> Iterator[list[Record]]:
    """Yield records of 60 executions running side by side, again and again."""
    number = 0
    while True:
        names = (f"{stamp}-{partition}-{number}-{n}" for n in range(TOGETHER))
        yield list(interleaved([History(name).whole(STEPS) for name in names]))
        number += 1


@dataclass
class LogWriter:
    """Appends blocks and notes when each offset was acknowledged."""

    producer: AIOKafkaProducer
    topics: Topics
    # Per partition: (last offset, monotonic seconds at which the append was sent).
    sent: dict[int, list[tuple[int, float]]] = field(default_factory=dict)

    async def append(self, partition: int, records: list[Record]) -> None:
        """Append records in as few batches as they fit in."""
        began_s = time.monotonic()
        waiting, batch = [], self.producer.create_batch()
        for record in records:
            parts = {"key": record.key, "value": record.value, "headers": record.headers}
            if batch.append(timestamp=None, **parts) is None:
                waiting.append(await self._send(batch, partition))
                batch = self.producer.create_batch()
                batch.append(timestamp=None, **parts)
        waiting.append(await self._send(batch, partition))
        newest = (await asyncio.gather(*waiting))[-1]
        count = batch.record_count()
        self.sent.setdefault(partition, []).append((newest.offset + count - 1, began_s))

    async def _send(self, batch: Any, partition: int) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = await self.producer.send_batch(
            batch, self.topics.events.name, partition=partition
        )
        return future

    async def preload(self, events: int) -> int:
        """Append about so many events, spread evenly; return how many it were."""
        partitions = self.topics.events.partitions
        makers = [blocks(partition, stamp="pre") for partition in range(partitions)]
        done = 0
        while done < events:
            for partition, maker in enumerate(makers):
                records = next(maker)
                await self.append(partition, records)
                done += len(records)
        return done

    async def stream(self, ready: "Ticks") -> None:
        """Send what is ready at its steady rate, one batch per partition and tick."""
        began_s = time.monotonic()
        for tick, chunks in enumerate(ready, 1):
            sent_s = time.monotonic()
            waiting = [await self._send(batch, p) for p, batch in enumerate(chunks)]
            for partition, newest in enumerate(await asyncio.gather(*waiting)):
                last = newest.offset + chunks[partition].record_count() - 1
                self.sent.setdefault(partition, []).append((last, sent_s))
            await asyncio.sleep(max(0.0, began_s + tick * TICK_S - time.monotonic()))

    def ticks(self, events_per_s: float, seconds: float, stamp: str) -> "Ticks":
        """Return a load of so many events a second as batches ready to be sent.

        Made beforehand: on a small machine making them would cost the tracker its time.
        """
        partitions, count = self.topics.events.partitions, int(seconds / TICK_S)
        chunk = max(1, round(events_per_s * TICK_S / partitions))
        by_partition = []
        for partition in range(partitions):
            maker, records = blocks(partition, stamp=stamp), list[Record]()
            while len(records) < count * chunk:
                records += next(maker)
            runs = (records[n * chunk : (n + 1) * chunk] for n in range(count))
            by_partition.append([self._built(run) for run in runs])
        return [list(chunks) for chunks in zip(*by_partition, strict=True)]

    def _built(self, records: list[Record]) -> Any:
        batch = self.producer.create_batch()
        for record in records:
            batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
        return batch


Ticks = list[list[Any]]  # Per tick and partition one batch.
TICK_S = 0.05
