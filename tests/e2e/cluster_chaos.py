"""Chaos on a cluster: three brokers with replicas, and everything on them killed or frozen in turn.

    python -m tests.e2e.cluster_chaos [--executions N] [--seed N] [--folder KEEP]

Topics have three replicas of which two must have a record; two executors, two workers, the API and
PostgreSQL run on them, and commands come by the client and by the API. One trouble follows the
other, each once the waits of the one before are over, so that a standstill has a name. At last all
replicas lose the log's tail. The seed is printed; the same seed plans the same trouble.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from steplog.admin.topics import apply_topics
from steplog.client.addresses import Addresses
from steplog.client.client import Steplog
from steplog_kafka.settings import KafkaSettings
from tests.benchmarks.figures import publish_figures
from tests.e2e.chaos_stall import diagnosis
from tests.e2e.cluster_load import ClusterLoad
from tests.e2e.cluster_log import Rows, histories_of
from tests.e2e.cluster_looks import Lookout, lookout
from tests.e2e.cluster_rows import read_rows, rows_statuses
from tests.e2e.cluster_strikes import SERVICES, SESSION_MS, Strike, World, new_world, plan
from tests.e2e.cluster_tail import LostTail, lose_tail, rebuild
from tests.e2e.cluster_verdict import (
    Struck,
    Verdict,
    figures_of,
    judge_lines,
    judge_log,
    judge_looks,
    judge_rows,
    judge_tries,
    longest_stalls,
)
from tests.e2e.histories import read_records
from tests.e2e.weather_shape import RUNS_FILE_VARIABLE

NODES, REPLICAS, IN_SYNC = 3, 3, 2
# Work goes on for so long around each trouble, and for so long after it is over.
PORTION_S, AFTER_S = 14.0, 6.0
BEFORE_S = 2.0
# A short execution takes half a second; one that is older was held up by trouble.
SHORT_IS_LATE_AFTER_S = 3.0
SETTLED_WITHIN_S, ENDED_WITHIN_S = 60.0, 150.0
# Sent before the log's tail is cut, and too late to have ended by then; and after all is mended.
IN_FLIGHT, AFTERWARDS = 24, 40
POLL_S = 0.5
_STEP_MODULES = "tests.e2e.chaos_steps,tests.e2e.weather_shape"


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201


@dataclass
class ClusterChaos:
    """One run."""

    world: World
    load: ClusterLoad
    lookout: Lookout
    source: random.Random
    struck: list[Struck] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    _began_s: float = field(default_factory=time.monotonic)

    async def run(self, executions: int) -> dict[str, Any]:
        """Make all the trouble and return the figures."""
        strikes = plan(self.source, NODES)
        portion = max(1, executions // (len(strikes) + 1))
        for strike in strikes:
            await self._trouble(strike, portion)
        # Whoever still fails now is stuck: nothing has been away for long.
        await asyncio.sleep(AFTER_S)
        await self.load.send(portion, AFTER_S)
        await self.load.sent()
        await self._until_ended()
        await self._judge(self.load.kinds.keys())
        await self._lose_tail()
        self.verdict.stuck_producers += sorted(self.load.not_taken)
        self.verdict.add(judge_tries(self.load.tries, self.struck))
        self.verdict.add(judge_looks(self.lookout.looks))
        return figures_of(self.verdict, self.load.waits(), self.struck)

    async def _trouble(self, strike: Strike, portion: int) -> None:
        lasts_s = max(PORTION_S, strike.lasts_s + AFTER_S)
        sending = asyncio.create_task(self.load.send(portion, lasts_s))
        await asyncio.sleep(BEFORE_S)
        began_s, back_s = await self.world.strike(strike)
        await sending
        await self._settled(SETTLED_WITHIN_S)
        self._note(Struck(strike.name, began_s, back_s, time.monotonic(), strike.kills_one))

    def _note(self, struck: Struck) -> None:
        self.struck.append(struck)
        stall_s = longest_stalls(self.load.waits(), self.struck).get(struck.name, 0.0)
        failed = Counter(t.producer for t in self.load.tries if t.problem is not None)
        say(
            f"{time.monotonic() - self._began_s:4.0f} s  {struck.name}: away "
            f"{struck.back_s - struck.began_s:.1f} s, longest wait {stall_s:.1f} s; "
            f"{len(self.load.ended)} of {len(self.load.kinds)} ended, failed tries {dict(failed)}"
        )

    async def _settled(self, within_s: float) -> None:
        """Return once no short execution is late."""
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            if not self.load.open_since(time.monotonic() - SHORT_IS_LATE_AFTER_S):
                return
            await asyncio.sleep(POLL_S)

    async def _until_ended(self) -> None:
        """Return once all stand in the rows as they have to, or nothing of it comes any more."""
        deadline_s = time.monotonic() + ENDED_WITHIN_S
        while time.monotonic() < deadline_s:
            statuses = await rows_statuses(self.world.services.database_url)
            if all(statuses.get(e) == kind.ends_as for e, kind in self.load.kinds.items()):
                return
            await asyncio.sleep(POLL_S)
        say(await diagnosis(self.world.services, self.load.kinds, SERVICES))

    async def _judge(self, lines_of: Any) -> dict[str, Any]:
        services = self.world.services
        records = await read_records(services.bootstrap_servers, services.topics.events)
        histories = histories_of(records)
        rows: dict[str, Rows] = await read_rows(services.database_url)
        self.verdict.add(judge_log(histories, self.load.kinds))
        self.verdict.add(judge_rows(rows, histories))
        lines = (services.folder / "runs.txt").read_text().splitlines()
        self.verdict.add(judge_lines(lines, histories, lines_of))
        return histories

    async def _lose_tail(self) -> None:
        services = self.world.services
        events = services.topics.events
        before = histories_of(await read_records(services.bootstrap_servers, events))
        await self.load.send(IN_FLIGHT, BEFORE_S)
        began_s = time.monotonic()
        lost = await lose_tail(self.world, self.lookout)
        back_s = time.monotonic()
        say(f"{time.monotonic() - self._began_s:4.0f} s  the log's tail is lost: {lost}")
        self.verdict.silent_gaps += lost.faults()
        dropped = await rebuild(self.world)
        await self.load.sent()
        await self._settled(SETTLED_WITHIN_S)
        gone = await self._gone()
        say(f"{len(gone)} executions have no event left, {dropped} rows were said to vanish")
        self.load.send_again(gone)
        known = set(self.load.kinds)
        await self.load.send(AFTERWARDS, PORTION_S)
        await self.load.sent()
        self._note(Struck("log's tail lost", began_s, back_s, time.monotonic(), by_hand=True))
        await self._until_ended()
        await self._judge(self._whole(before, lost, known))
        self._judge_vanished(before, gone, dropped)

    async def _gone(self) -> list[str]:
        services = self.world.services
        records = await read_records(services.bootstrap_servers, services.topics.events)
        return sorted(self.load.kinds.keys() - histories_of(records).keys())

    def _whole(self, before: Any, lost: LostTail, known: set[str]) -> list[str]:
        """Return the executions whose lines tell the whole story: no event of them is gone."""
        return [*(before.keys() - lost.touched(before)), *(self.load.kinds.keys() - known)]

    def _judge_vanished(self, before: Any, gone: list[str], dropped: int) -> None:
        had_rows = [execution_id for execution_id in gone if execution_id in before]
        if len(had_rows) > dropped:
            self.verdict.lost.append(f"{dropped} named as vanishing and not {len(had_rows)}")


async def run_cluster_chaos(
    executions: int, seed: int, folder: Path
) -> tuple[dict[str, Any], Verdict]:
    """Run one with its logs and data in `folder`; return its figures and what is wrong."""
    began_s = time.monotonic()
    world = new_world(folder, NODES, _STEP_MODULES, _environment(folder))
    try:
        await world.start()
        say(f"{time.monotonic() - began_s:4.0f} s  three brokers and the database are up")
        async with AsyncExitStack() as stack:
            chaos = await _prepared(stack, world, random.Random(seed))
            figures = await chaos.run(executions)
    finally:
        await asyncio.to_thread(world.stop)
    say(f"ended by themselves: {dict(Counter(world.ended_themselves))}")
    whole = {
        "seed": seed,
        "executions": len(chaos.load.kinds),
        "kills": len(chaos.struck),
        "seconds": time.monotonic() - began_s,
    }
    return {**whole, **figures}, chaos.verdict


def _environment(folder: Path) -> dict[str, str]:
    return {
        RUNS_FILE_VARIABLE: str(folder / "runs.txt"),
        "STEPLOG_SESSION_TIMEOUT_MS": str(SESSION_MS),
        "STEPLOG_TRACKER_SESSION_TIMEOUT_S": str(SESSION_MS / 1000),
        "STEPLOG_TRACKER_REBALANCE_TIMEOUT_S": "10",
        "STEPLOG_KAFKA_REPLICATION_FACTOR": str(REPLICAS),
        "STEPLOG_KAFKA_MIN_INSYNC_REPLICAS": str(IN_SYNC),
    }


async def _prepared(stack: AsyncExitStack, world: World, source: random.Random) -> ClusterChaos:
    """Make the topics, start the services and connect everybody."""
    services = world.services
    kafka = KafkaSettings(
        bootstrap_servers=services.bootstrap_servers,
        replication_factor=REPLICAS,
        min_insync_replicas=IN_SYNC,
    )
    await apply_topics(kafka, tuple(services.topics))
    for name in SERVICES:
        world.start_service(name)
    await asyncio.to_thread(services.wait_ready, "executor-1")
    url = f"http://127.0.0.1:{world.ports['api']}"
    api = await stack.enter_async_context(
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=15.0)
    )
    addresses = Addresses(services.bootstrap_servers, url, services.topics)
    client = await stack.enter_async_context(Steplog.connect(addresses))
    load = ClusterLoad(client, api, services.database_url, services.partitions, source)
    looks = await stack.enter_async_context(
        lookout(services.bootstrap_servers, services.topics.events, api)
    )
    for work in (load.answer_people, load.watch_rows, looks.look_on, world.supervise):
        stack.push_async_callback(_ended, asyncio.create_task(work()))
    async with asyncio.timeout(SETTLED_WITHIN_S):
        while not await rows_statuses(services.database_url, ready=True):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
    return ClusterChaos(world, load, looks, source)


async def _ended(task: "asyncio.Task[None]") -> None:
    """End a task that works for ever; what it raised before is no secret."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


def main() -> None:
    """Run and publish; anything wrong is named and makes the exit code 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--executions", type=int, default=800)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--folder", help="keep logs and data here")
    options = parser.parse_args()
    say(f"seed {options.seed}, {options.executions} executions")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures, verdict = asyncio.run(run_cluster_chaos(options.executions, options.seed, folder))
    publish_figures("chaos-cluster", figures)
    wrong = {name: found for name, found in vars(verdict).items() if found}
    for name, found in wrong.items():
        say(f"{name}: {len(found)}, such as {found[:5]}")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
