"""The worst a cluster can do: all replicas lose acknowledged events; then the way out of it."""

import asyncio
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from tests.e2e.cluster_log import Histories
from tests.e2e.cluster_looks import Lookout
from tests.e2e.cluster_strikes import EXECUTORS, WORKERS, World
from tests.e2e.lost_tail import cut_tail, end_on_disk
from tests.services import ROOT

PARTITIONS_CUT = (0, 1)
RECORDS_CUT = 60
NOTICED_WITHIN_S = 60.0
# From the moment all brokers answer; services find them again, and look every second.
SOON_S = 6.0
REBUILD_TIMEOUT_S = 120.0
POLL_S = 0.1


@dataclass
class LostTail:
    """What was cut away, and how soon it was noticed."""

    ends: dict[int, int]
    worker_s: float
    api_s: float
    executor_s: float

    def faults(self) -> list[str]:
        """Return who went on for too long as if nothing was lost."""
        found = {"worker": self.worker_s, "API": self.api_s, "executor": self.executor_s}
        return [f"the {name} noticed after {s:.1f} s" for name, s in found.items() if s > SOON_S]

    def touched(self, histories: Histories) -> set[str]:
        """Return the executions of which events are gone."""
        return {
            execution_id
            for execution_id, history in histories.items()
            if any(
                fact.offset >= self.ends.get(fact.partition, fact.offset + 1) for fact in history
            )
        }


async def lose_tail(world: World, looks: Lookout) -> LostTail:
    """Kill all brokers, cut all replicas at the same offsets, start them, and see who notices."""
    await world.end_brokers()
    logs = [node.folder / "log" for node in world.cluster.nodes.values()]
    said = {name: _log(world, name).count("log_lost_records") for name in EXECUTORS}
    ends = {}
    for partition in PARTITIONS_CUT:
        shortest = min(end_on_disk(log, world.events, partition) for log in logs)
        wanted = max(1, shortest - RECORDS_CUT)
        ends[partition] = min(cut_tail(log, world.events, partition, wanted) for log in logs)
        for log in logs:
            cut_tail(log, world.events, partition, ends[partition])
    await asyncio.to_thread(world.cluster.start)
    await _within(NOTICED_WITHIN_S, lambda: _ends_are(looks, ends))
    began_s = time.monotonic()

    async def since(is_so: Callable[[], Awaitable[bool]]) -> float:
        await _within(NOTICED_WITHIN_S, is_so)
        return time.monotonic() - began_s

    worker_s, api_s, executor_s = await asyncio.gather(
        since(lambda: _a_worker_is_unready(world)),
        since(lambda: _api_says_so(looks)),
        since(lambda: _executors_say_so(world, said)),
    )
    return LostTail(ends, worker_s, api_s, executor_s)


async def rebuild(world: World) -> int:
    """Have the rows made again as a person would: asked how many vanish, then with that number."""
    code, told = await _steplog(world, "rebuild")
    if code == 0:
        return 0
    named = re.search(r"--drop-lost\s+(\d+)", " ".join(told.split()))
    assert named is not None, told
    code, told = await _steplog(world, "rebuild", "--drop-lost", named[1])
    assert code == 0, told
    return int(named[1])


async def _steplog(world: World, *arguments: str) -> tuple[int, str]:
    services = world.services
    environment = {
        "PYTHONPATH": str(ROOT),
        "KAFKA_BOOTSTRAP_SERVERS": services.bootstrap_servers,
        "DATABASE_URL": services.database_url,
        "STEPLOG_TOPIC_NAMESPACE": services.namespace,
        "STEPLOG_PARTITIONS": str(services.partitions),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "steplog.cli.main", *arguments),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(REBUILD_TIMEOUT_S):
            told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, told.decode(errors="replace")


async def _within(seconds: float, is_so: Callable[[], Awaitable[bool]]) -> None:
    """Return once it is so, and after some time in any case: how long it took is judged."""
    deadline_s = time.monotonic() + seconds
    while time.monotonic() < deadline_s and not await is_so():  # noqa: ASYNC110
        await asyncio.sleep(POLL_S)


async def _ends_are(looks: Lookout, ends: dict[int, int]) -> bool:
    """Whether the brokers answer, with a log that begins to grow from where it was cut."""
    try:
        found = await looks.ends()
    except Exception:
        return False
    return all(found.get(partition, 0) >= end for partition, end in ends.items())


async def _a_worker_is_unready(world: World) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=1.0) as client:
        for name in WORKERS:
            try:
                answer = await client.get(f"http://127.0.0.1:{world.ports[name]}/readyz")
            except httpx.HTTPError:
                continue
            says_why = "steplog rebuild" in answer.text
            if says_why and answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                return True
    return False


async def _api_says_so(looks: Lookout) -> bool:
    try:
        look = await looks.look()
    except Exception:
        return False
    return look is not None and look.tracker == "log_lost_records"


async def _executors_say_so(world: World, before: dict[str, int]) -> bool:
    return any(_log(world, name).count("log_lost_records") > before[name] for name in EXECUTORS)


def _log(world: World, name: str) -> str:
    path = world.services.folder / f"{name}.log"
    return path.read_text(errors="replace") if path.exists() else ""
