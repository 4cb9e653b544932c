"""The pair on one machine: throughput until readable, latency alone, CPU by process.

    python -m tests.benchmarks.pair [--executions N] [--alone N]

Real Kafka, real PostgreSQL, an executor and a tracker worker, each a process. Commands are sent
ahead of the executor, which runs 256 executions at a time; the clock stops when the last row is
readable.
"""

import argparse
import asyncio
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import asyncpg
import uvloop
from aiokafka import AIOKafkaProducer

from steplog.local.server import start_server
from steplog.local.server_choice import choose_kafka, choose_postgres
from tests.benchmarks.cpu import CpuMeter
from tests.benchmarks.figures import percentile, publish_figures
from tests.benchmarks.flushed import alone_flushed
from tests.benchmarks.load import Watcher, a_command, readable_after, send_all
from tests.services import Services, create_topics

CONCURRENCY = 256
WARM_UP_EXECUTIONS = 2_000
WATCHED_PARTITION = 0
MIN_COUNT_POLL_S = 0.03
MAX_COUNT_POLL_S = 1.0
THROUGHPUT_TIMEOUT_S = 300.0
_COUNT = "SELECT count(*) FROM pipeline_executions WHERE status = 'completed'"


class PairBenchmark:
    """Holds the connections of one run."""

    def __init__(self, services: Services, meter: CpuMeter) -> None:
        self.services = services
        self.meter = meter

    async def measure(self, executions: int, alone: int) -> dict[str, float]:
        """Return every figure."""
        database = await asyncpg.connect(self.services.database_url)
        producer = AIOKafkaProducer(
            bootstrap_servers=self.services.bootstrap_servers, max_batch_size=500_000
        )
        await producer.start()
        try:
            await self._run_all(producer, database, WARM_UP_EXECUTIONS)
            figures = await self._alone(producer, database, alone)
            figures |= await self._throughput(producer, database, executions)
        finally:
            await producer.stop()
            await database.close()
        return figures

    async def _alone(
        self, producer: AIOKafkaProducer, database: asyncpg.Connection, count: int
    ) -> dict[str, float]:
        took, visible = [], []
        topics = self.services.topics
        partitions = range(topics.events.partitions)
        async with Watcher(self.services.bootstrap_servers, topics, partitions) as watcher:
            for _ in range(count):
                execution_id, record = a_command()
                sent = time.time()
                await send_all(producer, topics, [record])
                took.append(await watcher.wait_for(execution_id) - sent)
                event_time = watcher.ended[execution_id][0]
                visible.append(await readable_after(database, execution_id, event_time))
            pure = []
            for _ in range(count):
                execution_id, record = a_command(pure=True)
                sent = time.time()
                await send_all(producer, topics, [record])
                pure.append(await watcher.wait_for(execution_id) - sent)
        return {
            "p50_alone_ms": percentile(took, 0.5) * 1000,
            "p50_alone_pure_ms": percentile(pure, 0.5) * 1000,
            "p99_alone_ms": percentile(took, 0.99) * 1000,
            "visible_alone_p50_ms": percentile(visible, 0.5) * 1000,
            "visible_alone_p99_ms": percentile(visible, 0.99) * 1000,
        }

    async def _throughput(
        self, producer: AIOKafkaProducer, database: asyncpg.Connection, count: int
    ) -> dict[str, float]:
        sampling = asyncio.create_task(self._sample_visibility())
        self.meter.since_last()
        took_s = await self._run_all(producer, database, count)
        used = self.meter.since_last()
        sampling.cancel()
        visible = (await asyncio.gather(sampling, return_exceptions=True))[0]
        assert isinstance(visible, list)
        assert visible
        by_process = {
            f"cpu_s_per_1000_{name}": seconds / count * 1000 for name, seconds in used.items()
        }
        return {
            "executions_per_s": count / took_s,
            "visible_p50_ms": percentile(visible, 0.5) * 1000,
            "visible_p99_ms": percentile(visible, 0.99) * 1000,
            "visible_samples": len(visible),
            "cpu_s_per_1000_total": sum(by_process.values()),
            **by_process,
        }

    async def _run_all(
        self, producer: AIOKafkaProducer, database: asyncpg.Connection, count: int
    ) -> float:
        """Send `count` commands; return the seconds until every row is readable."""
        before = await database.fetchval(_COUNT)
        commands = [a_command()[1] for _ in range(count)]
        began = time.monotonic()
        await send_all(producer, self.services.topics, commands)
        done = 0
        while done < count:
            taken_s = time.monotonic() - began
            assert taken_s < THROUGHPUT_TIMEOUT_S, "not all rows are there"
            # Counting costs the database; look seldom until the end is near.
            left_s = taken_s / max(done, 1) * (count - done)
            await asyncio.sleep(min(MAX_COUNT_POLL_S, max(MIN_COUNT_POLL_S, left_s / 3)))
            done = await database.fetchval(_COUNT) - before
        return time.monotonic() - began

    async def _sample_visibility(self) -> list[float]:
        """Return, for completions of one partition, the seconds from event time to row."""
        visible: list[float] = []
        database = await asyncpg.connect(self.services.database_url)
        topics = self.services.topics
        try:
            async with Watcher(
                self.services.bootstrap_servers, topics, [WATCHED_PARTITION]
            ) as watcher:
                while True:
                    for execution_id in (await watcher.look(timeout_ms=20))[-1:]:
                        event_time = watcher.ended[execution_id][0]
                        visible.append(await readable_after(database, execution_id, event_time))
        except asyncio.CancelledError:
            return visible
        finally:
            await database.close()


def run(executions: int, alone: int) -> dict[str, float]:
    """Start everything, measure, end everything."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka, postgres = choose_kafka(folder / "kafka"), choose_postgres(folder / "postgres")
        servers = {"kafka": start_server(kafka), "postgres": start_server(postgres)}
        for server in servers.values():
            stack.callback(server.stop)
        services = Services(
            kafka.address,
            postgres.address,
            "bench",
            folder,
            "tests.benchmarks.noop",
            extra_environment={
                "STEPLOG_MAX_EXECUTIONS_IN_FLIGHT": str(CONCURRENCY),
                "STEPLOG_LOG_LEVEL": "WARNING",
            },
        )
        stack.callback(services.stop_all)
        asyncio.run(create_topics(services.bootstrap_servers, services.topics))
        pids = {name: server.pid for name, server in servers.items() if server.pid}
        pids["executor"] = services.start_executor().pid
        pids["tracker"] = services.start_tracker().pid
        services.wait_ready()
        figures = uvloop.run(PairBenchmark(services, CpuMeter(pids)).measure(executions, alone))
        services.stop_all()
        flushed = replace(services, namespace="flushed", running={})
        stack.callback(flushed.stop_all)
        return figures | uvloop.run(alone_flushed(flushed, alone))


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--alone", type=int, default=200)
    options = parser.parse_args()
    publish_figures("bench", run(options.executions, options.alone))


if __name__ == "__main__":
    main()
