"""The tracker's memory over a long run: what the worker holds after a tenth and at the end.

    python -m tests.benchmarks.tracker_soak [--events N]

Events are written in slices, each applied before the next is written; applied records are deleted
from the topic and applied rows from the tables, so that neither disk grows while the worker runs
on. STEPLOG_BENCH_EVENTS gives a smoke run its size.
"""

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from steplog.local.server_choice import choose_kafka, choose_postgres, running
from steplog_contracts.envelope import Record
from tests.benchmarks.figures import publish_figures
from tests.benchmarks.tracker_log import BATCH_BYTES, EVENTS_PER_EXECUTION, TOGETHER, LogWriter
from tests.benchmarks.tracker_log import blocks as made_blocks
from tests.services import Services, create_topics

PARTITIONS = 8
EVENTS = 10_000_000
# Written and applied before the next slice; bounds what the disks hold.
SLICE_EVENTS = 200_000
TIMEOUT_S = 600.0
POLL_S = 0.1
MIB = 1024 * 1024
_NAMED = ("ce_subject", "ce_partitionkey")
_APPLIED = "SELECT COALESCE(sum(next_offset), 0) FROM projection_positions"


def renamed(block: list[Record], number: int) -> list[Record]:
    """The block's records as those of other executions: far quicker than to encode them anew."""
    names: dict[bytes, bytes] = {}
    found = []
    for key, value, headers in block:
        assert key is not None
        name = names.setdefault(key, b"%b.%d" % (key, number))
        changed = [(header, name if header in _NAMED else text) for header, text in headers]
        found.append(Record(name, value, changed))
    return found


@dataclass
class Soak:
    """One worker, fed slice by slice."""

    services: Services
    writer: LogWriter
    database: asyncpg.Connection
    admin: AIOKafkaAdminClient
    written: int = 0
    blocks: int = 0

    async def run(self, events: int) -> dict[str, float]:
        """Apply so many events; return the worker's memory on the way."""
        worker = psutil.Process(self.services.start_tracker().pid)
        figures: dict[str, float] = {}
        began_s = time.monotonic()
        for mark in (events // 10, events):
            while self.written < mark:
                await self._slice(min(SLICE_EVENTS, mark - self.written))
            figures[f"rss_mib_after_{short(mark)}"] = worker.memory_info().rss / MIB
        first, last = figures.values()
        took_s = time.monotonic() - began_s
        return {**figures, "growth_mib": last - first, "events": self.written, "seconds": took_s}

    async def _slice(self, events: int) -> None:
        templates = [next(made_blocks(p, stamp="soak")) for p in range(PARTITIONS)]
        target = self.written + events
        while self.written < target:
            self.blocks += 1
            for partition, block in enumerate(templates):
                await self.writer.append(partition, renamed(block, self.blocks))
                self.written += len(block)
        await self._until_applied()
        await self._forget()

    async def _until_applied(self) -> None:
        ends_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < ends_s:
            try:
                if await self.database.fetchval(_APPLIED) >= self.written:
                    return
            except asyncpg.UndefinedTableError:
                pass  # The worker is starting.
            await asyncio.sleep(POLL_S)
        raise AssertionError("the events were not applied in time")

    async def _forget(self) -> None:
        topic = self.services.topics.events.name
        ends = {p: sent[-1][0] + 1 for p, sent in self.writer.sent.items()}
        self.writer.sent.clear()
        applied = {TopicPartition(topic, p): RecordsToDelete(end) for p, end in ends.items()}
        await self.admin.delete_records(applied)
        await self.database.execute("TRUNCATE pipeline_executions, step_executions")


def short(count: int) -> str:
    """Return a count as it stands in names: 1m, 200k."""
    return f"{count // 1_000_000}m" if count % 1_000_000 == 0 else f"{count // 1000}k"


async def measure(services: Services, events: int) -> dict[str, float]:
    """Run a soak on servers that run."""
    await create_topics(services.bootstrap_servers, services.topics)
    producer = AIOKafkaProducer(
        bootstrap_servers=services.bootstrap_servers, acks="all", max_batch_size=BATCH_BYTES
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=services.bootstrap_servers)
    database = await asyncpg.connect(services.database_url)
    await producer.start()
    await admin.start()
    try:
        writer = LogWriter(producer, services.topics)
        return await Soak(services, writer, database, admin).run(events)
    finally:
        await admin.close()
        await producer.stop()
        await database.close()


def main() -> None:
    """Read the command line, run, publish."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = int(os.environ.get("STEPLOG_BENCH_EVENTS", EVENTS))
    parser.add_argument("--events", type=int, default=default)
    events = parser.parse_args().events
    block = TOGETHER * EVENTS_PER_EXECUTION * PARTITIONS
    if events < 10 * block:
        parser.error(f"--events is {events}; the least is {10 * block}.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = stack.enter_context(running(choose_kafka(folder / "kafka")))
        postgres = stack.enter_context(running(choose_postgres(folder / "postgres")))
        services = Services(kafka, postgres, "soak", folder, "none", partitions=PARTITIONS)
        stack.callback(services.stop_all)
        publish_figures("tracker_soak", asyncio.run(measure(services, events)))


if __name__ == "__main__":
    main()
