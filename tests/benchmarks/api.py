"""The read API over a long past, asked at a steady rate while the tracker writes.

    python -m tests.benchmarks.api [--executions N] [--seconds S]

The tracker first empties a preloaded topic, which gives its top rate on these very tables; then it
is fed at half of that while 50 questions a second are asked: lists, single executions and counts in
turn. Times are from when a question was due to its answer. Everything runs on this machine.
"""

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import httpx
from aiokafka import AIOKafkaProducer

from steplog.local.ports import free_ports
from steplog.local.server import start_server
from steplog.local.server_choice import choose_kafka, choose_postgres
from tests.benchmarks.figures import percentile, publish_figures
from tests.benchmarks.many_rows import fill
from tests.benchmarks.questions import Asking
from tests.benchmarks.tracker_log import BATCH_BYTES, LogWriter
from tests.services import Services, create_topics
from tracker_service.store.postgres.store import PostgresStore

PARTITIONS = 8
RATE_PER_S = 50.0
PRELOADED_EVENTS = 60_000
WARM_UP_S = 3.0
TIMEOUT_S = 600.0
_APPLIED = "SELECT coalesce(sum(next_offset), 0) FROM projection_positions WHERE topic = $1"


async def measure(services: Services, executions: int, seconds: float) -> dict[str, float]:
    """Return every figure."""
    store = PostgresStore(services.database_url)
    await store.open()
    await store.close()
    began_s = time.monotonic()
    await fill(services.database_url, executions)
    filled_s = time.monotonic() - began_s
    topics = services.topics
    await create_topics(services.bootstrap_servers, topics)
    producer = AIOKafkaProducer(
        bootstrap_servers=services.bootstrap_servers, acks="all", max_batch_size=BATCH_BYTES
    )
    await producer.start()
    try:
        writer = LogWriter(producer, topics)
        top = await _top_rate(services, await writer.preload(PRELOADED_EVENTS))
        port = free_ports(1)[0]
        services.start_api(port)
        asking = Asking(f"http://127.0.0.1:{port}", executions, RATE_PER_S)
        await _answers(asking.url)
        load = writer.ticks(top / 2, seconds + WARM_UP_S, "live")
        streaming = asyncio.create_task(writer.stream(load))
        await asking.ask_for(WARM_UP_S)
        asking.took_ms.clear()
        await asking.ask_for(seconds)
        await streaming
    finally:
        await producer.stop()
    assert asking.failed == 0, f"{asking.failed} questions were not answered"
    return {
        **{f"{kind}_p99_ms": percentile(took, 0.99) for kind, took in asking.took_ms.items()},
        **{f"{kind}_p50_ms": percentile(took, 0.5) for kind, took in asking.took_ms.items()},
        "questions": sum(len(took) for took in asking.took_ms.values()),
        "executions": executions,
        "tracker_top_events_per_s": top,
        "tracker_events_per_s_meanwhile": top / 2,
        "fill_s": filled_s,
    }


async def _top_rate(services: Services, events: int) -> float:
    """Let the tracker, which goes on afterwards, apply what is in the topic; return its rate."""
    services.start_tracker()
    database = await asyncpg.connect(services.database_url)
    try:
        begun = await _until(database, services.topics.events.name, 1)
        began_s = time.monotonic()
        await _until(database, services.topics.events.name, events)
        return (events - begun) / (time.monotonic() - began_s)
    finally:
        await database.close()


async def _until(database: asyncpg.Connection, topic: str, events: int) -> int:
    ends_s = time.monotonic() + TIMEOUT_S
    while (applied := await database.fetchval(_APPLIED, topic)) < events:
        assert time.monotonic() < ends_s, "the events were not applied in time"
        await asyncio.sleep(0.02)
    return int(applied)


async def _answers(url: str) -> None:
    """Return once the API answers."""
    warm = Asking(url, 1, 5.0)
    ends_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < ends_s:
        try:
            await warm.ask_for(0.1)
            return
        except httpx.ConnectError:
            await asyncio.sleep(0.2)
    raise AssertionError("the API did not answer in time")


def run(executions: int, seconds: float) -> dict[str, float]:
    """Start everything, measure, end everything."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka, postgres = choose_kafka(folder / "kafka"), choose_postgres(folder / "postgres")
        for server in (start_server(kafka), start_server(postgres)):
            stack.callback(server.stop)
        services = Services(
            kafka.address, postgres.address, "bench", folder, "none", partitions=PARTITIONS
        )
        stack.callback(services.stop_all)
        return asyncio.run(measure(services, executions, seconds))


def main() -> None:
    """Read the command line, measure, publish."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    wanted = int(os.environ.get("STEPLOG_BENCH_EXECUTIONS", "1000000"))
    parser.add_argument("--executions", type=int, default=wanted)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    publish_figures("bench-api", run(given.executions, given.seconds))


if __name__ == "__main__":
    main()
