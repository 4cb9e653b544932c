"""A rebuild under live load: events and rows a second, against a bare COPY of the same rows.

    python -m tests.benchmarks.rebuild [--events N] [--live-rate EVENTS_PER_S]

A topic is preloaded and projected; then everything is rebuilt by `steplog rebuild`'s own code, with
an idle tracker for the rate and with a tracker under live load for its lag. The bare COPY puts the
same rows, already as Python tuples, into tables of the same shape over one connection and builds
the same keys and indexes: what a rebuild costs beyond it is reading, decoding and folding the log.
"""

import argparse
import asyncio
import gc
import os
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
from aiokafka import AIOKafkaProducer

from steplog.local.server import start_server
from steplog.local.server_choice import choose_kafka, choose_postgres
from tests.benchmarks.bare_copy import copy_rates
from tests.benchmarks.figures import percentile, publish_figures
from tests.benchmarks.tracker import POLL_S, TrackerBenchmark, _lags
from tests.benchmarks.tracker_log import BATCH_BYTES, LogWriter
from tests.services import Services, create_topics
from tracker_service.rebuild.rebuild import Rebuild, drop_old
from tracker_service.rebuild.request import RebuildRequest, Report

PARTITIONS = 8
EVENTS = int(os.environ.get("BENCH_REBUILD_EVENTS", "2000000"))
LIVE_EVENTS_PER_S = 1000.0
# The live load outlasts the rebuild by little; it is stopped when that is done.
LIVE_SECONDS = 120.0
MEMORY_LOOK_S = 0.2
# Looks between two searches for new processes: going through all of them takes its time.
LOOKS_PER_SEARCH = 5
MIB = 1024 * 1024


@dataclass
class Memory:
    """The most memory this process and its children had at once, beyond what they began with."""

    peak_mib: float = 0.0

    def watch(self, done: threading.Event) -> None:
        """Look until done."""
        me = psutil.Process()
        watched, looks = [me], 0
        while not done.wait(MEMORY_LOOK_S):
            if looks % LOOKS_PER_SEARCH == 0:
                watched = [me, *filter(_builds, me.children())]
            looks += 1
            self.peak_mib = max(self.peak_mib, sum(map(_rss, watched)) / MIB)


def _builds(process: psutil.Process) -> bool:
    try:
        return "tracker_service.rebuild.build_worker" in process.cmdline()
    except psutil.Error:
        return False


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


class RebuildBenchmark(TrackerBenchmark):
    """The tracker's bench with a rebuild in it."""

    async def figures(self, events: int, live_rate: float) -> dict[str, float]:
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
            # It makes the rows that are to be replaced, and is warm for the live load.
            self.services.start_tracker("live")
            database = await asyncpg.connect(self.services.database_url)
            await self._until(database, written)
            await database.close()
            alone, memory = await self._rebuilt()
            bare = await copy_rates(self.services.database_url)
            lags, loaded = await self._under_load(writer, live_rate)
        finally:
            self.services.stop("live")
            await producer.stop()
        return {**_rates(alone, bare), **_pauses(alone, loaded), **memory, **_lag(lags)}

    async def _rebuilt(self) -> tuple[Report, dict[str, float]]:
        services = self.services
        order = RebuildRequest(
            services.bootstrap_servers, services.database_url, services.topics.events.name
        )
        memory, done = Memory(), threading.Event()
        watching = threading.Thread(target=memory.watch, args=(done,))
        watching.start()
        try:
            report = await Rebuild(order).run()
        finally:
            done.set()
            watching.join()
        if not report.swapped or report.tally.total:
            raise AssertionError(f"the rebuild differs: {report.tally}")
        await drop_old(services.database_url)
        return report, {"rss_mib_peak": memory.peak_mib}

    async def _under_load(self, writer: LogWriter, rate: float) -> tuple[list[float], Report]:
        load = writer.ticks(rate, LIVE_SECONDS, "live")
        writer.sent.clear()
        seen: list[tuple[float, dict[int, int]]] = []
        gc.collect()
        gc.freeze()
        streaming = asyncio.create_task(writer.stream(load))
        rebuilding = asyncio.create_task(self._rebuilt_apart())
        database = await asyncpg.connect(self.services.database_url)
        while not rebuilding.done():
            seen.append((time.monotonic(), await self._applied(database)))
            await asyncio.sleep(POLL_S)
        streaming.cancel()
        await asyncio.wait([streaming])
        begun_s = seen[-1][0]
        while not _sent_before_is_applied(writer, seen, begun_s):
            seen.append((time.monotonic(), await self._applied(database)))
            await asyncio.sleep(POLL_S)
        await database.close()
        return _lags(writer, seen), rebuilding.result()

    async def _rebuilt_apart(self) -> Report:
        """Rebuild in a thread of its own, so that the looks at the lag are not held up."""
        report, _ = await asyncio.to_thread(lambda: asyncio.run(self._rebuilt()))
        return report


def _sent_before_is_applied(
    writer: LogWriter, seen: list[tuple[float, dict[int, int]]], begun_s: float
) -> bool:
    positions = seen[-1][1]
    return all(positions.get(p, 0) > sent[-1][0] for p, sent in writer.sent.items())


def _rates(report: Report, bare: dict[str, float]) -> dict[str, float]:
    seconds = sum(report.seconds[stage] for stage in ("copying", "indexing", "mending"))
    whole_s = sum(report.seconds.values())
    rows_per_s = report.rows / seconds
    return {
        "events_per_s": report.events / seconds,
        "rows_per_s": rows_per_s,
        "ratio_to_copy": rows_per_s / bare["copy_and_index_rows_per_s"],
        "ratio_to_copy_without_indexes": (
            report.rows / report.seconds["copying"] / bare["copy_rows_per_s"]
        ),
        "bare_copy_rows_per_s": bare["copy_rows_per_s"],
        "bare_copy_and_index_rows_per_s": bare["copy_and_index_rows_per_s"],
        "whole_rebuild_events_per_s": report.events / whole_s,
        **{f"{stage}_s": took_s for stage, took_s in report.seconds.items()},
    }


def _pauses(alone: Report, loaded: Report) -> dict[str, float]:
    return {
        "pause_ms": alone.pause_ms or 0.0,
        "pause_ms_under_load": loaded.pause_ms or 0.0,
        "rows": alone.rows,
        "events": alone.events,
        "differences_under_load": loaded.tally.total,
    }


def _lag(lags: list[float]) -> dict[str, float]:
    return {
        "live_lag_p50_ms": percentile(lags, 0.5) * 1000,
        "live_lag_p99_ms": percentile(lags, 0.99) * 1000,
    }


def run(events: int, live_rate: float) -> dict[str, float]:
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
        return asyncio.run(RebuildBenchmark(services, pids).figures(events, live_rate))


def main() -> None:
    """Read the command line, measure, publish."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--live-rate", type=float, default=LIVE_EVENTS_PER_S)
    given = parser.parse_args()
    publish_figures("bench-rebuild", run(given.events, given.live_rate))


if __name__ == "__main__":
    main()
