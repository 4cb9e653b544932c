"""Events for the tracker's benchmark: 10-step executions, 60 at a time in each partition."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer

from contracts.envelope import Record
from contracts.topics import Topics
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

    async def _send(self, batch: object, partition: int) -> asyncio.Future[object]:
        future: asyncio.Future[object] = await self.producer.send_batch(
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
        """Append what is ready at its steady rate, a few events at a time in every partition."""
        began_s = time.monotonic()
        for tick, chunks in enumerate(ready, 1):
            await asyncio.gather(
                *(self.append(partition, chunk) for partition, chunk in enumerate(chunks))
            )
            await asyncio.sleep(max(0.0, began_s + tick * TICK_S - time.monotonic()))


# Per tick and partition the records to append; made beforehand, so that making them costs no lag.
Ticks = list[list[list[Record]]]
TICK_S = 0.02


def ticks(partitions: int, events_per_s: float, seconds: float, stamp: str) -> Ticks:
    """Return a load of so many events a second."""
    count = int(seconds / TICK_S)
    chunk = max(1, round(events_per_s * TICK_S / partitions))
    by_partition = []
    for partition in range(partitions):
        maker, records = blocks(partition, stamp=stamp), list[Record]()
        while len(records) < count * chunk:
            records += next(maker)
        by_partition.append([records[n * chunk : (n + 1) * chunk] for n in range(count)])
    return [list(chunks) for chunks in zip(*by_partition, strict=True)]
