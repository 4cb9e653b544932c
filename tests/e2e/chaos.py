"""Chaos: processes are killed and frozen at random moments while executions run.

    python -m tests.e2e.chaos [--executions N] [--seed N] [--folder KEEP]

Three executors, a tracker, Kafka and PostgreSQL; kill -9, and SIGSTOP for longer than the session
timeout, so that a zombie wakes up. Afterwards everything is judged from the events alone and from
the rows alone. The seed is printed; the same seed plans the same trouble.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer

from steplog.local.kafka import KafkaServer
from steplog.local.postgres import PostgresServer
from steplog.local.server import Server, start_server
from tests.benchmarks.figures import publish_figures
from tests.e2e.chaos_load import Load
from tests.e2e.chaos_stall import diagnosis
from tests.e2e.chaos_strikes import SERVICES, SESSION_TIMEOUT_MS, Strikes
from tests.e2e.chaos_verdict import Verdict, judge_rows, judge_runs, verdict_on_events
from tests.e2e.histories import by_execution, read_log
from tests.e2e.weather_shape import RUNS_FILE_VARIABLE
from tests.services import Services, create_topics

# Trouble lasts so long for each execution sent, and never less than the least.
TROUBLE_S_PER_EXECUTION = 0.05
MIN_TROUBLE_S = 18.0
# The last are sent a little before the trouble ends, so that it reaches them too.
SENDING_SHARE = 0.8
# Nothing more has ended for so long: something is stuck.
STALL_S = 75.0
POLL_S = 0.5
_STATUSES = "SELECT pipeline_name, status, count(*) FROM pipeline_executions GROUP BY 1, 2"
_STEP_MODULES = "tests.e2e.chaos_steps,tests.e2e.weather_shape"


@dataclass
class Chaos:
    """One run: the servers, the services, the load, and what was done to them."""

    servers: dict[str, Server]
    services: Services
    strikes: Strikes
    seed: int
    trouble_s: float

    async def run(self, executions: int) -> Verdict:
        """Send the work while making trouble, wait until all is done, and judge."""
        await create_topics(self.services.bootstrap_servers, self.services.topics)
        for name in SERVICES:
            self.strikes.start(name)
        async with AIOKafkaProducer(
            bootstrap_servers=self.services.bootstrap_servers, max_batch_size=500_000
        ) as producer:
            load = Load(self.services, producer, random.Random(self.seed))
            answering = asyncio.create_task(load.answer_people())
            supervising = asyncio.create_task(self.strikes.supervise())
            try:
                await asyncio.gather(
                    load.send(executions, self.trouble_s * SENDING_SHARE),
                    self.strikes.go_on_for(self.trouble_s),
                )
                await self._until(lambda: self._executions_done(load), len(load.kinds), load)
                answering.cancel()
                await asyncio.wait([answering])
                await self._until(load.left_to_commit, 0, load)
            finally:
                answering.cancel()
                supervising.cancel()
        # Here, while the threads live that started the servers: they end with their parents.
        return await self._judge(load)

    async def _judge(self, load: Load) -> Verdict:
        log = await read_log(self.services.bootstrap_servers, self.services.topics.events)
        histories = by_execution(log)
        verdict = verdict_on_events(log, load)
        await judge_rows(verdict, self.services.database_url, load, histories)
        judge_runs(verdict, self.services.folder / "runs.txt", self.strikes.done, histories)
        return verdict

    async def _until(self, look: Callable[[], Awaitable[int]], wanted: int, load: Load) -> None:
        """Return once a look says what is wanted; a figure that no longer moves is a stall."""
        seen, moved_at = None, time.monotonic()
        while (now := await look()) != wanted:
            if now != seen:
                seen, moved_at = now, time.monotonic()
            elif time.monotonic() - moved_at > STALL_S:
                told = await diagnosis(self.services, load.kinds, SERVICES)
                raise AssertionError(f"seed {self.seed}: {now} and not {wanted}\n{told}")
            await asyncio.sleep(POLL_S)

    async def _executions_done(self, load: Load) -> int:
        expected = Counter((kind.name, kind.ends_as) for kind in load.kinds.values())
        statuses = await self._statuses()
        return sum(min(count, statuses[key]) for key, count in expected.items())

    async def _statuses(self) -> Counter[tuple[str, str]]:
        try:
            database = await asyncpg.connect(self.services.database_url, timeout=5)
            try:
                rows = await database.fetch(_STATUSES, timeout=10)
            finally:
                await database.close()
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return Counter()
        return Counter({(r["pipeline_name"], r["status"]): r["count"] for r in rows})


def run_chaos(executions: int, seed: int, folder: Path) -> tuple[dict[str, float], Verdict]:
    """Run one chaos with its logs and data in `folder`; return its figures and what is wrong."""
    print(f"seed {seed}, {executions} executions", flush=True)  # noqa: T201
    with ExitStack() as stack:
        # Of our own even where addresses are given: these are killed.
        servers: dict[str, Server] = {
            "kafka": KafkaServer(folder / "kafka"),
            "postgres": PostgresServer(folder / "postgres"),
        }
        running = {name: start_server(server) for name, server in servers.items()}
        services = Services(
            servers["kafka"].address, servers["postgres"].address, "chaos", folder, _STEP_MODULES,
            extra_environment={
                RUNS_FILE_VARIABLE: str(folder / "runs.txt"),
                "STEPLOG_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
                "STEPLOG_TRACKER_SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_MS / 1000),
                "STEPLOG_MAX_EXECUTIONS_IN_FLIGHT": "20",
            },
        )  # fmt: skip
        strikes = Strikes(services, servers, dict(running), random.Random(seed))
        stack.callback(lambda: [server.stop() for server in strikes.running.values()])
        stack.callback(services.stop_all)
        trouble_s = max(MIN_TROUBLE_S, executions * TROUBLE_S_PER_EXECUTION)
        chaos = Chaos(servers, services, strikes, seed, trouble_s)
        began = time.monotonic()
        verdict = asyncio.run(chaos.run(executions))
        print(f"{time.monotonic() - began:.0f} s, {dict(strikes.counts)}", flush=True)  # noqa: T201
    figures = {
        "seed": seed,
        "executions": executions,
        "kills": len(strikes.done),
        "lost": len(verdict.lost),
        "duplicate_completions": len(verdict.duplicate_completions),
        "early_starts": len(verdict.early_starts),
        "children_started_twice": len(verdict.children_started_twice),
        "items_recorded_twice": len(verdict.items_recorded_twice),
        "undone_otherwise": len(verdict.undone_otherwise),
        "extra_runs": verdict.extra_runs,
    }
    return figures, verdict


def main() -> None:
    """Run and publish; anything wrong is named and makes the exit code 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--executions", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--folder", help="keep logs and data here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        figures, verdict = run_chaos(options.executions, options.seed, folder)
    publish_figures("chaos", figures)
    for name, found in verdict.wrong.items():
        print(f"{name}: {len(found)}, such as {found[:5]}")  # noqa: T201
    raise SystemExit(bool(verdict.wrong))


if __name__ == "__main__":
    main()
