"""The tracker alone: rate against a bare loop and a bare COPY, CPU by part, lag under load.

    python -m tests.benchmarks.tracker [--events N] [--seconds S]

Rate: one worker empties a preloaded topic; measured from the first batch applied to the last. Lag:
events arrive at a share of that rate; per append, the time from sending it to its position being
readable. Everything runs on this machine, the writer of the load included.
"""

import argparse
import asyncio
import gc
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer

from steplog.local.child import Child
from steplog.local.server import start_server
from steplog.local.server_choice import choose_kafka, choose_postgres
from tests.benchmarks.cpu import CpuMeter
from tests.benchmarks.figures import percentile, publish_figures
from tests.benchmarks.tracker_log import BATCH_BYTES, LogWriter
from tests.benchmarks.tracker_parts import copy_seconds, parts
from tests.services import Services, create_topics

PARTITIONS = 8
POLL_S = 0.005
TIMEOUT_S = 600.0
# The worker starts meanwhile, and is warm before anything is measured.
WARM_UP_RATE, WARM_UP_S = 2000.0, 6.0
LAG_SHARES = (25, 50, 80)
_APPLIED = "SELECT partition, next_offset FROM projection_positions WHERE topic = $1"


@dataclass
class TrackerBenchmark:
    """One broker, one database, one preloaded topic."""

    services: Services
    servers: dict[str, int]  # Process ids by name.

    async def measure(self, events: int, lag_seconds: float) -> dict[str, float]:
        """Return every figure."""
        topics = self.services.topics
        await create_topics(self.services.bootstrap_servers, topics)
        producer = AIOKafkaProducer(
            bootstrap_servers=self.services.bootstrap_servers,
            acks="all",
            max_batch_size=BATCH_BYTES,
        )
        await producer.start()
        try:
            writer = LogWriter(producer, topics)
            written = await writer.preload(events)
            bare = await self._drain("bare", written)
            ours = await self._drain("tracker", written)
            copied_s = await copy_seconds(self.services.database_url)
            alone = await parts(
                self.services.bootstrap_servers, topics.events.name, written // PARTITIONS
            )
            lag = await self._lags(writer, ours["events_per_s"], lag_seconds)
        finally:
            await producer.stop()
        worker_us = ours["cpu_us_per_event_worker"]
        return {
            "events_per_s": ours["events_per_s"],
            "bare_loop_events_per_s": bare["events_per_s"],
            "ratio_to_bare_loop": ours["events_per_s"] / bare["events_per_s"],
            "ratio_to_copy": ours["events_per_s"] * copied_s / written,
            "cpu_us_per_event_total": worker_us + ours["cpu_us_per_event_server"],
            "cpu_us_per_event_worker": worker_us,
            "cpu_us_per_event_server": ours["cpu_us_per_event_server"],
            "cpu_us_per_event_bare_loop": bare["cpu_us_per_event_worker"],
            "cpu_us_per_event_faust": worker_us - bare["cpu_us_per_event_worker"],
            **alone,
            "cpu_us_per_event_write": bare["cpu_us_per_event_worker"] - sum(alone.values()),
            **lag,
        }

    async def _drain(self, kind: str, events: int) -> dict[str, float]:
        """Let a process apply everything into empty tables; return rate and CPU."""
        await self._empty_tables()
        child = self._start(kind)
        meter = CpuMeter({"worker": child.pid, "server": self.servers["postgres"]})
        database = await asyncpg.connect(self.services.database_url)
        try:
            begun = await self._until(database, 1)
            meter.since_last()
            began_s = time.monotonic()
            await self._until(database, events)
            took_s, used = time.monotonic() - began_s, meter.since_last()
        finally:
            await database.close()
            self.services.stop(kind)
        applied = events - begun
        return {
            "events_per_s": applied / took_s,
            "cpu_us_per_event_worker": used["worker"] / applied * 1e6,
            "cpu_us_per_event_server": used["server"] / applied * 1e6,
        }

    def _start(self, kind: str) -> Child:
        if kind == "tracker":
            return self.services.start_tracker(kind)
        return self.services._start(kind, ("-m", "tests.benchmarks.tracker_bare"), {})

    async def _empty_tables(self) -> None:
        database = await asyncpg.connect(self.services.database_url)
        await database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await database.close()

    async def _until(self, database: asyncpg.Connection, events: int) -> int:
        ends_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < ends_s:
            applied = sum((await self._applied(database)).values())
            if applied >= events:
                return applied
            await asyncio.sleep(0.02)
        raise AssertionError("the events were not applied in time")

    async def _applied(self, database: asyncpg.Connection) -> dict[int, int]:
        try:
            return dict(await database.fetch(_APPLIED, self.services.topics.events.name))
        except asyncpg.UndefinedTableError:
            return {}

    async def _lags(self, writer: LogWriter, rate: float, seconds: float) -> dict[str, float]:
        self.services.start_tracker("live")
        figures = {}
        try:
            await self._lag(writer, WARM_UP_RATE, WARM_UP_S, "warm")
            for share in LAG_SHARES:
                lags = await self._lag(writer, rate * share / 100, seconds, f"lag{share}")
                name = "half" if share == 50 else str(share)
                figures[f"lag_p50_ms_at_{name}"] = percentile(lags, 0.5) * 1000
                figures[f"lag_p99_ms_at_{name}"] = percentile(lags, 0.99) * 1000
        finally:
            self.services.stop("live")
        return figures

    async def _lag(self, writer: LogWriter, rate: float, seconds: float, stamp: str) -> list[float]:
        database = await asyncpg.connect(self.services.database_url)
        ends = {p: sent[-1][0] + 1 for p, sent in writer.sent.items()}
        await self._until(database, sum(ends.values()))
        writer.sent.clear()
        seen: list[tuple[float, dict[int, int]]] = []
        load = writer.ticks(rate, seconds, stamp)
        gc.collect()
        gc.freeze()
        streaming = asyncio.create_task(writer.stream(load))
        while not streaming.done() or not _all_applied(writer, seen):
            seen.append((time.monotonic(), await self._applied(database)))
            await asyncio.sleep(POLL_S)
        await streaming
        await database.close()
        return _lags(writer, seen)


def _all_applied(writer: LogWriter, seen: list[tuple[float, dict[int, int]]]) -> bool:
    positions = seen[-1][1] if seen else {}
    return all(positions.get(p, 0) > sent[-1][0] for p, sent in writer.sent.items())


def _lags(writer: LogWriter, seen: list[tuple[float, dict[int, int]]]) -> list[float]:
    """Return, per append, the seconds until a look at the positions found it applied."""
    lags = []
    for partition, sent in writer.sent.items():
        looks = iter(seen)
        look_s, positions = next(looks)
        for last_offset, sent_s in sent:
            while positions.get(partition, 0) <= last_offset:
                look_s, positions = next(looks)
            lags.append(max(0.0, look_s - sent_s))
    return lags


def run(events: int, lag_seconds: float) -> dict[str, float]:
    """Start everything, measure, end everything."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka, postgres = choose_kafka(folder / "kafka"), choose_postgres(folder / "postgres")
        servers = {"kafka": start_server(kafka), "postgres": start_server(postgres)}
        for server in servers.values():
            stack.callback(server.stop)
        services = Services(
            kafka.address, postgres.address, "bench", folder, "none", partitions=PARTITIONS
        )
        stack.callback(services.stop_all)
        pids = {name: server.pid for name, server in servers.items() if server.pid}
        return asyncio.run(TrackerBenchmark(services, pids).measure(events, lag_seconds))


def main() -> None:
    """Read the command line, measure, publish."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    publish_figures("tracker", run(given.events, given.seconds))


if __name__ == "__main__":
    main()
