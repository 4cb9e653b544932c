"""Chaos: processes are killed and frozen at random moments while executions run.

    python -m tests.e2e.chaos [--executions N] [--seed N]

Three executors, a tracker, Kafka and PostgreSQL; kill -9, and SIGSTOP for longer than the session
timeout, so that a zombie wakes up. Afterwards everything is judged from the events alone and from
the rows alone. The seed is printed; the same seed plans the same trouble.
"""

import argparse
import asyncio
import os
import random
import signal
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import psutil
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.codec import encode_command
from contracts.commands import Command, ResumeExecution, RunPipeline
from contracts.envelope import Record, RecordedEvent, SentCommand
from contracts.events import StepStarted
from executor_service.adapters.system_clock import SystemClock
from steplog.local.choice import choose_kafka, choose_postgres
from steplog.local.server import Running, Server, start_server
from tests.benchmarks.figures import publish_figures
from tests.benchmarks.load import send_all
from tests.e2e import chaos_steps
from tests.e2e.histories import Judgement, judge, read_histories
from tests.e2e.weather_shape import BRANCHES, RUNS_FILE_VARIABLE
from tests.services import Services, create_topics

EXECUTORS = ("executor-1", "executor-2", "executor-3")
SESSION_TIMEOUT_MS = 6_000
FREEZE_S = 9.0
PAUSE_S = (0.5, 2.5)
CALM_TIMEOUT_S = 180.0
ANSWER_EVERY_S = 0.5
NEEDS = {
    "clean": (("load",),),
    "fill_gaps": (("clean",),),
    "report": (BRANCHES,),
    **dict.fromkeys(BRANCHES, (("clean",),)),
    "b": (("a",),),
    "c": (("b",),),
}
_ENDED = "SELECT count(*) FROM pipeline_executions WHERE completed_at IS NOT NULL"
_WAITING = "SELECT execution_id FROM pipeline_executions WHERE status = 'waiting_for_human'"


@dataclass(frozen=True)
class Aftermath:
    """What is there to judge when everything is quiet again."""

    judgement: Judgement
    histories: dict[str, list[RecordedEvent]]
    rows_agree: bool


@dataclass
class Chaos:
    """One run: the servers, the services, and what was done to them."""

    servers: dict[str, Server]
    services: Services
    runs_file: Path
    seed: int
    running: dict[str, Running] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    frozen: set[str] = field(default_factory=set)

    async def run(self, executions: int) -> Aftermath:
        """Send the work, make trouble until half of it is done, wait, and judge."""
        random_source = random.Random(self.seed)
        await create_topics(self.services.bootstrap_servers, self.services.topics)
        self.services.start_tracker()
        for name in EXECUTORS:
            self.services.start_executor(name)
        async with AIOKafkaProducer(
            bootstrap_servers=self.services.bootstrap_servers, max_batch_size=500_000
        ) as producer:
            expected = await self._send_all(producer, executions, random_source)
            answering = asyncio.create_task(self._answer_people(producer))
            try:
                await self._make_trouble(executions, random_source)
                await self._wait_until_ended(executions)
            finally:
                answering.cancel()
        topic = self.services.topics.events
        histories = await read_histories(self.services.bootstrap_servers, topic)
        # Here, while the threads live that started the servers: they end with their parents.
        agree = await self.rows_agree(histories)
        return Aftermath(judge(histories, expected, NEEDS), histories, agree)

    async def _make_trouble(self, executions: int, random_source: random.Random) -> None:
        deadline = time.monotonic() + max(25.0, executions / 20)
        while time.monotonic() < deadline:
            await asyncio.sleep(random_source.uniform(*PAUSE_S))
            await self._strike(random_source)

    async def _send_all(
        self, producer: AIOKafkaProducer, count: int, random_source: random.Random
    ) -> set[str]:
        records: list[Record] = []
        expected = set()
        for number in range(count):
            execution_id = f"chaos-{number}"
            expected.add(execution_id)
            definition = random_source.choice(chaos_steps.DEFINITIONS)
            command = RunPipeline(
                execution_id=execution_id, definition=definition, input={"n": 1, "gaps": number % 2}
            )
            records.append(_record(command, f"run-{number}"))
        await send_all(producer, self.services.topics, records)
        return expected

    async def _strike(self, random_source: random.Random) -> None:
        """Kill or freeze one process and bring it back."""
        target = random_source.choice((*EXECUTORS, *EXECUTORS, "tracker", "kafka", "postgres"))
        if target in self.frozen:
            return
        if target in self.servers:
            self.kills[target] += 1
            await asyncio.to_thread(self._restart_server, target, random_source.uniform(0, 2))
        elif random_source.random() < 0.3:
            self.kills[f"{target} frozen"] += 1
            self.frozen.add(target)
            asyncio.get_running_loop().create_task(self._freeze(target))
        else:
            self.kills[target] += 1
            self._kill_service(target)
            await asyncio.sleep(random_source.uniform(0, 2))
            self._start_service(target)

    async def _freeze(self, name: str) -> None:
        """Stop a process past its session timeout and let it wake up as a zombie."""
        pid = _leaf(self.services.running[name].pid)
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(FREEZE_S)
        os.kill(pid, signal.SIGCONT)
        self.frozen.discard(name)

    def _restart_server(self, name: str, away_s: float) -> None:
        pid = self.running[name].pid
        assert pid is not None
        os.kill(_leaf(pid), signal.SIGKILL)
        self.running[name].stop()
        time.sleep(away_s)
        self.running[name] = start_server(self.servers[name])

    def _kill_service(self, name: str) -> None:
        child = self.services.running.pop(name)
        os.kill(_leaf(child.pid), signal.SIGKILL)
        child.stop()

    def _start_service(self, name: str) -> None:
        if name == "tracker":
            self.services.start_tracker()
        else:
            self.services.start_executor(name)

    def _revive_the_dead(self) -> None:
        """A supervisor's work: start again what ended by itself."""
        for name in ("tracker", *EXECUTORS):
            child = self.services.running.get(name)
            if child is None or child.exit_code is not None:
                self.services.running.pop(name, None)
                self._start_service(name)

    async def _answer_people(self, producer: AIOKafkaProducer) -> None:
        """Answer every waiting step, again and again: repeats are part of the trouble."""
        asked = 0
        while True:
            await asyncio.sleep(ANSWER_EVERY_S)
            try:
                waiting = await self._query(_WAITING)
                records = []
                for row in waiting[:200]:
                    asked += 1
                    command = ResumeExecution(
                        execution_id=row["execution_id"], human_input={"ok": True}
                    )
                    records.append(_record(command, f"answer-{asked}"))
                await asyncio.wait_for(send_all(producer, self.services.topics, records), 10)
            except (KafkaError, OSError, asyncpg.PostgresError, TimeoutError):
                continue  # The broker or the database is down just now.

    async def _wait_until_ended(self, executions: int) -> None:
        deadline = time.monotonic() + CALM_TIMEOUT_S
        ended = 0
        while ended < executions:
            self._revive_the_dead()
            assert time.monotonic() < deadline, f"{ended} of {executions} ended; seed {self.seed}"
            await asyncio.sleep(0.5)
            try:
                ended = (await self._query(_ENDED))[0][0]
            except (OSError, asyncpg.PostgresError, TimeoutError):
                continue

    async def _query(self, sql: str) -> list[asyncpg.Record]:
        database = await asyncpg.connect(self.services.database_url, timeout=5)
        try:
            return list(await database.fetch(sql, timeout=10))
        finally:
            await database.close()

    async def rows_agree(self, histories: dict[str, list[RecordedEvent]]) -> bool:
        """Whether each execution has one row, at the last event of its history."""
        rows = await self._query("SELECT execution_id, seq FROM pipeline_executions")
        return Counter((r["execution_id"], r["seq"]) for r in rows) == Counter(
            (execution_id, len(history)) for execution_id, history in histories.items()
        )

    def extra_runs(self, histories: dict[str, list[RecordedEvent]]) -> tuple[int, int]:
        """Return (runs beyond the first of each attempt's visit, runs without a recorded start)."""
        runs = Counter(line.split()[0] for line in self.runs_file.read_text().splitlines())
        starts: Counter[str] = Counter()
        failures = 0
        for execution_id, history in histories.items():
            for recorded in history:
                event = recorded.event
                if isinstance(event, StepStarted):
                    starts[f"{execution_id}:{event.step_id}:{event.iteration}"] += 1
                failures += type(event).__name__ == "StepAttemptFailed"
        unrecorded = sum(max(0, count - starts[visit]) for visit, count in runs.items())
        return sum(runs.values()) - len(runs) - failures, unrecorded


def _record(command: Command, command_id: str) -> Record:
    return encode_command(SentCommand(command_id, "/chaos", SystemClock().now(), command))


def _leaf(pid: int) -> int:
    """Return the program itself where a launcher stands before it."""
    process = psutil.Process(pid)
    children = process.children()
    is_launcher = "launcher" in " ".join(process.cmdline()) and children
    return children[0].pid if is_launcher else pid


def run_chaos(executions: int, seed: int, folder: Path) -> dict[str, float]:
    """Run one chaos with its logs and data in `folder`, and return its figures."""
    print(f"seed {seed}, {executions} executions", flush=True)  # noqa: T201
    with ExitStack() as stack:
        servers: dict[str, Server] = {
            "kafka": choose_kafka(folder / "kafka"),
            "postgres": choose_postgres(folder / "postgres"),
        }
        running = {name: start_server(server) for name, server in servers.items()}
        services = Services(
            servers["kafka"].address, servers["postgres"].address, "chaos", folder,
            "tests.e2e.chaos_steps,tests.e2e.weather_shape",
            extra_environment={
                RUNS_FILE_VARIABLE: str(folder / "runs.txt"),
                "STEPLOG_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
                "STEPLOG_TRACKER_SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_MS / 1000),
                "STEPLOG_MAX_EXECUTIONS_IN_FLIGHT": "20",
                "STEPLOG_LOG_LEVEL": "WARNING",
            },
        )  # fmt: skip
        chaos = Chaos(servers, services, folder / "runs.txt", seed, running)
        stack.callback(lambda: [server.stop() for server in chaos.running.values()])
        stack.callback(services.stop_all)
        began = time.monotonic()
        after = asyncio.run(chaos.run(executions))
        judgement = after.judgement
        extra, unrecorded = chaos.extra_runs(after.histories)
        print(dict(chaos.kills), judgement, flush=True)  # noqa: T201
        return {
            "seed": seed,
            "executions": executions,
            "kills": sum(chaos.kills.values()),
            "lost": len(judgement.not_ended_once) + len(judgement.not_begun_once),
            "duplicate_completions": len(judgement.double_completions),
            "early_starts": len(judgement.early_starts),
            "broken_seq": len(judgement.broken_seq),
            "extra_runs": extra,
            "unrecorded_runs": unrecorded,
            "rows_that_differ": int(not after.rows_agree),
            "seconds": time.monotonic() - began,
        }


def main() -> None:
    """Run and publish; a figure that must be 0 and is not makes the exit code 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--executions", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--folder", help="keep logs and data here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        figures = run_chaos(options.executions, options.seed, folder)
    publish_figures("chaos", figures)
    must_be_zero = ("lost", "duplicate_completions", "early_starts", "broken_seq",
                    "unrecorded_runs", "rows_that_differ")  # fmt: skip
    raise SystemExit(any(figures[name] for name in must_be_zero))


if __name__ == "__main__":
    main()
