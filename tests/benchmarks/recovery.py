"""Recovery: an executor full of work is killed; how long until the next one goes on with all of it.

    python -m tests.benchmarks.recovery

Twice, over a short and over a ten times longer history of ended executions, so that what depends on
history shows. Then what an executor's memory is after 10,000 and after 100,000 executions. Sizes
can be made smaller: RECOVERY_LIVE, RECOVERY_PARKED, RECOVERY_ENDED, RECOVERY_RUNS.
"""

import asyncio
import os
import re
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from steplog.local.kafka import KafkaServer
from steplog.local.server import start_server
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import Record, SentCommand
from steplog_contracts.events import StepStarted, StepWaiting
from steplog_contracts.payload import JsonObject
from tests.benchmarks.figures import publish_figures
from tests.benchmarks.load import COMPLETED, send_all
from tests.benchmarks.recovery_log import commit_the_end, preload
from tests.benchmarks.recovery_steps import behind_a_noop
from tests.services import Services, create_topics

LIVE = int(os.environ.get("RECOVERY_LIVE", "1000"))
PARKED = int(os.environ.get("RECOVERY_PARKED", "10000"))
ENDED = int(os.environ.get("RECOVERY_ENDED", "1000000"))
RUNS = int(os.environ.get("RECOVERY_RUNS", "100000"))
SHORTER = 10
PORTIONS = 10
SESSION_TIMEOUT_MS = 6_000
TIMEOUT_S = 900.0
# Long enough for the ids of commands to be saved and committed: the mark then is where it stays.
SETTLE_S = 7.0
_STARTED = ("ce_type", StepStarted.event_type.encode())
_WAITING = ("ce_type", StepWaiting.event_type.encode())
_COMPLETED = ("ce_type", COMPLETED)
_LINE = re.compile(r"^(\S+Z) \[info *\] (\w+) +(.*)$", re.MULTILINE)


class Follower:
    """Reads new events of all partitions and counts those that are wanted."""

    def __init__(self, services: Services) -> None:
        topic = services.topics.events
        self._consumer = AIOKafkaConsumer(bootstrap_servers=services.bootstrap_servers)
        self._tps = [TopicPartition(topic.name, p) for p in range(topic.partitions)]

    async def __aenter__(self) -> "Follower":
        await self._consumer.start()
        self._consumer.assign(self._tps)
        await self._consumer.seek_to_end(*self._tps)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def see(self, header: tuple[str, bytes], about: str, count: int) -> list[float]:
        """Return when (epoch seconds) each of `count` executions was first seen with an event of
        that header; `about` begins their ids."""
        seen: dict[bytes, float] = {}
        prefix, deadline = about.encode(), time.monotonic() + TIMEOUT_S
        while len(seen) < count:
            assert time.monotonic() < deadline, f"only {len(seen)} of {count} were seen"
            fetched = await self._consumer.getmany(timeout_ms=50)
            now = time.time()
            for messages in fetched.values():
                for message in messages:
                    if message.key.startswith(prefix) and header in message.headers:
                        seen.setdefault(message.key, now)
        return sorted(seen.values())


@dataclass
class Bench:
    """One namespace with its executor."""

    services: Services
    producer: AIOKafkaProducer

    async def recovered(self, ended: int) -> dict[str, float]:
        """Fill an executor, kill it, start the next and return how that went."""
        topics, servers = self.services.topics, self.services.bootstrap_servers
        await create_topics(servers, topics)
        await preload(self.producer, topics, ended, "old")
        await commit_the_end(servers, topics, f"{self.services.namespace}.executor")
        first = self.services.start_executor("first")
        await asyncio.to_thread(self.services.wait_ready, "first")
        async with Follower(self.services) as follower:
            await self._send("parked", PARKED, behind_a_noop("Ask"))
            await follower.see(_WAITING, "parked", PARKED)
            await self._send("live", LIVE, behind_a_noop("Hold"))
            await follower.see(_STARTED, "live", LIVE)
            await asyncio.sleep(SETTLE_S)
        async with Follower(self.services) as follower:
            killed = time.time()
            os.kill(first.pid, signal.SIGKILL)
            second = self.services.start_executor("second")
            seen = await follower.see(_STARTED, "live", LIVE)
        assigned, read_events = told(Path(second.log))
        return {
            "first_resumed_s": seen[0] - assigned,
            "all_resumed_s": seen[-1] - assigned,
            "first_resumed_after_kill_s": seen[0] - killed,
            "all_resumed_after_kill_s": seen[-1] - killed,
            "recovery_read_events": read_events,
        }

    async def remembered(self, executions: int) -> tuple[float, float]:
        """Return an executor's MiB after a tenth of the executions, and after all of them."""
        await create_topics(self.services.bootstrap_servers, self.services.topics)
        child = self.services.start_executor()
        await asyncio.to_thread(self.services.wait_ready)
        process, sizes = psutil.Process(child.pid), []
        async with Follower(self.services) as follower:
            for part in range(PORTIONS):
                about, count = f"portion-{part}-", executions // PORTIONS
                await self._send(about, count, behind_a_noop("Noop"))
                await follower.see(_COMPLETED, about, count)
                await asyncio.sleep(SETTLE_S)
                sizes.append(process.memory_info().rss / 2**20)
        return sizes[0], sizes[-1]

    async def _send(self, about: str, count: int, definition: JsonObject) -> None:
        await send_all(
            self.producer, self.services.topics, [_command(about, definition) for _ in range(count)]
        )


def _command(about: str, definition: JsonObject) -> Record:
    execution_id = f"{about}-{uuid.uuid4()}"
    command = RunPipeline(execution_id=execution_id, definition=definition)
    return encode_command(SentCommand(str(uuid.uuid4()), "/bench", datetime.now(UTC), command))


def told(log: Path) -> tuple[float, int]:
    """Return when (epoch seconds) an executor was given its partitions, and the events it read."""
    lines = _LINE.findall(log.read_text())
    assigned = next(moment for moment, event, _ in lines if event == "partitions_assigned")
    read = re.findall(r"read_events=(\d+)", "\n".join(values for _, _, values in lines))
    return datetime.fromisoformat(assigned).timestamp(), sum(map(int, read))


@contextmanager
def servers() -> Iterator[tuple[str, Path]]:
    """Run a broker of our own; yield its address and a folder."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = KafkaServer(folder / "kafka")
        stack.callback(start_server(kafka).stop)
        yield kafka.address, folder


async def measure(address: str, folder: Path) -> dict[str, float]:
    """Return every figure."""
    found: dict[str, dict[str, float]] = {}
    async with AIOKafkaProducer(bootstrap_servers=address, max_batch_size=1_000_000) as producer:
        for name, ended in (("short", ENDED // SHORTER), ("long", ENDED)):
            with _services(address, folder, name) as services:
                found[name] = await Bench(services, producer).recovered(ended)
        with _services(address, folder, "memory") as services:
            small, large = await Bench(services, producer).remembered(RUNS)
    return {
        **found["long"],
        "rss_mib_after_10k": small,
        "rss_mib_after_100k": large,
        "all_resumed_s_of_a_tenth_of_the_history": found["short"]["all_resumed_s"],
        "recovery_read_events_of_a_tenth_of_the_history": found["short"]["recovery_read_events"],
    }


@contextmanager
def _services(address: str, folder: Path, namespace: str) -> Iterator[Services]:
    (folder / namespace).mkdir()
    services = Services(
        address, "postgresql://nobody@/none", namespace, folder / namespace,
        "tests.benchmarks.recovery_steps",
        extra_environment={
            "STEPLOG_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
            "STEPLOG_MAX_EXECUTIONS_IN_FLIGHT": str(max(LIVE, 256)),
            "NO_COLOR": "1",
        },
    )  # fmt: skip
    try:
        yield services
    finally:
        services.stop_all()


def main() -> None:
    """Measure and publish."""
    with servers() as (address, folder):
        publish_figures("bench-recovery", asyncio.run(measure(address, folder)))


if __name__ == "__main__":
    main()
