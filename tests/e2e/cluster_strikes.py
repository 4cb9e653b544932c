"""A cluster's trouble, one after another: who is killed, frozen or stopped, and brought back."""

import asyncio
import contextlib
import random
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from steplog.errors import ServerNotStarted
from steplog.local.child import Child
from steplog.local.ports import LOOPBACK, free_ports
from steplog.local.postgres import PostgresServer
from steplog.local.server import Running, start_server
from tests.e2e.chaos_strikes import family_of, program_of, send_signal
from tests.services import Services
from tests.support.cluster import Cluster

EXECUTORS, WORKERS = ("executor-1", "executor-2"), ("worker-1", "worker-2")
SERVICES = (*EXECUTORS, *WORKERS, "api")
# Of brokers, executors and workers alike. A dead broker that led the controllers too is missed only
# once they have another leader: with Kafka's default of 9 s its partitions stand still for 12 s.
SESSION_MS = 6_000
# What is killed comes back after so long, as under a supervisor.
AWAY_S = 1.0
# Longer than the sessions of executors and workers; longer than a broker's.
FROZEN_S, BROKER_FROZEN_S = 9.0, 25.0
STOPPED_S = 20.0
SUPERVISE_EVERY_S = 0.2
RESTART_ATTEMPTS = 10
LISTENS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Strike:
    """Trouble as it is planned; `victims` may name `leader`, found when its time comes."""

    name: str
    victims: tuple[str, ...]
    frozen_s: float = 0.0  # 0: killed.
    stopped_s: float = 0.0  # Stopped in its own way, and away for so long.

    @property
    def kills_one(self) -> bool:
        """Whether one process is killed."""
        return len(self.victims) == 1 and not self.frozen_s and not self.stopped_s

    @property
    def lasts_s(self) -> float:
        """How long something is away at least."""
        return self.frozen_s or self.stopped_s or AWAY_S


def plan(source: random.Random, nodes: int) -> list[Strike]:
    """Return everything that happens, in an order and with victims of the source's choice."""
    brokers = tuple(f"broker-{number}" for number in range(1, nodes + 1))
    executor, worker = source.choice(EXECUTORS), source.choice(WORKERS)
    strikes = [
        Strike("executor killed", (source.choice(EXECUTORS),)),
        Strike("executor frozen", (source.choice(EXECUTORS),), frozen_s=FROZEN_S),
        Strike("worker killed", (source.choice(WORKERS),)),
        Strike("worker frozen", (source.choice(WORKERS),), frozen_s=FROZEN_S),
        Strike("API killed", ("api",)),
        Strike("API frozen", ("api",), frozen_s=FROZEN_S),
        Strike("broker killed", ("leader",)),
        Strike("leader frozen", ("leader",), frozen_s=BROKER_FROZEN_S),
        Strike("all brokers killed", brokers),
        Strike("PostgreSQL killed", ("postgres",)),
        Strike("PostgreSQL frozen", ("postgres",), frozen_s=FROZEN_S),
        Strike("PostgreSQL stopped", ("postgres",), stopped_s=STOPPED_S),
        Strike("executor, worker and API killed", (executor, worker, "api")),
    ]
    source.shuffle(strikes)
    return strikes


@dataclass
class World:
    """Brokers, database and services of one run, which are struck and brought back."""

    cluster: Cluster
    postgres: PostgresServer
    services: Services
    ports: dict[str, int]  # Of the API, and of each worker's metrics.
    database: Running | None = None
    ended_themselves: list[str] = field(default_factory=list)
    _away: set[str] = field(default_factory=set)

    @property
    def events(self) -> str:
        """Return the topic whose leaders are struck."""
        return self.services.topics.events.name

    async def start(self) -> None:
        """Start brokers and database."""
        await asyncio.to_thread(self.cluster.start)
        self.database = await asyncio.to_thread(start_server, self.postgres)

    def stop(self) -> None:
        """End everything, whatever state it is in."""
        for child in self.services.running.values():
            send_signal(family_of(child.pid), signal.SIGCONT)
        self.services.stop_all()
        if self.database is not None:
            self.database.stop()
        self.cluster.stop()

    async def strike(self, strike: Strike) -> tuple[float, float]:
        """Carry out one strike; return from when to when something was away."""
        victims = [await self._found(victim) for victim in strike.victims]
        processes = {victim: self._process(victim) for victim in victims}
        self._away |= processes.keys()
        began_s = time.monotonic()
        try:
            if strike.frozen_s:
                await self._freeze(processes, strike.frozen_s)
            else:
                await self._end(processes, strike)
        finally:
            self._away -= processes.keys()
        return began_s, time.monotonic()

    async def _freeze(self, processes: dict[str, psutil.Process], seconds: float) -> None:
        frozen = [one for process in processes.values() for one in family_of(process.pid)]
        send_signal(frozen, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        send_signal(frozen, signal.SIGCONT)

    async def _end(self, processes: dict[str, psutil.Process], strike: Strike) -> None:
        if not strike.stopped_s:
            send_signal(processes.values(), signal.SIGKILL)
        await asyncio.gather(*(asyncio.to_thread(self._child(victim).stop) for victim in processes))
        await asyncio.sleep(strike.stopped_s or AWAY_S)
        brokers = [int(victim[-1]) for victim in processes if victim.startswith("broker")]
        if brokers:
            await asyncio.to_thread(self.cluster.start, *brokers)
        if "postgres" in processes:
            await asyncio.to_thread(self._start_database)
        for name in processes.keys() & set(SERVICES):
            self.start_service(name)
        if "api" in processes:
            await asyncio.to_thread(self._wait_for_api)

    async def end_brokers(self) -> None:
        """Kill all brokers at once."""
        await asyncio.to_thread(self.cluster.stop)

    def start_service(self, name: str) -> None:
        """Start a service, whether it ran before or not."""
        self.services.running.pop(name, None)
        if name in EXECUTORS:
            self.services.start_executor(name)
        elif name in WORKERS:
            port = str(self.ports[name])
            data = str(self.services.folder / f"{name}-data")
            self.services.start_tracker(
                name, STEPLOG_TRACKER_METRICS_PORT=port, STEPLOG_TRACKER_DATA_FOLDER=data
            )
        else:
            self.services.start_api(self.ports[name])

    async def supervise(self) -> None:
        """Start again, after a moment and for ever, what ended by itself."""
        while True:
            await asyncio.sleep(SUPERVISE_EVERY_S)
            for name in SERVICES:
                child = self.services.running.get(name)
                if name not in self._away and child is not None and child.exit_code is not None:
                    self.ended_themselves.append(f"{name} ended with {child.exit_code}")
                    await asyncio.sleep(AWAY_S)
                    self.start_service(name)

    async def _found(self, victim: str) -> str:
        if victim != "leader":
            return victim
        leaders = await self.cluster.leaders(self.events)
        return f"broker-{leaders[min(leaders)]}"

    def _process(self, victim: str) -> psutil.Process:
        return psutil.Process(program_of(self._child(victim).pid))

    def _child(self, victim: str) -> Child:
        if victim.startswith("broker"):
            found: Any = self.cluster.nodes[int(victim[-1])].child
        else:
            found = self.database if victim == "postgres" else self.services.running.get(victim)
        assert found is not None, f"{victim} does not run"
        return found  # type: ignore[no-any-return]

    def _wait_for_api(self) -> None:
        """An API is back once it listens; beside other work its imports take seconds."""
        deadline_s = time.monotonic() + LISTENS_WITHIN_S
        while time.monotonic() < deadline_s:
            with contextlib.suppress(OSError):
                socket.create_connection((LOOPBACK, self.ports["api"]), 1.0).close()
                return
            time.sleep(SUPERVISE_EVERY_S)

    def _start_database(self) -> None:
        """PostgreSQL needs a moment until what its dead parent left behind is gone."""
        for attempt in range(RESTART_ATTEMPTS):
            try:
                self.database = start_server(self.postgres)
                return
            except ServerNotStarted:
                if attempt == RESTART_ATTEMPTS - 1:
                    raise
                time.sleep(0.5)


def new_world(folder: Path, nodes: int, step_modules: str, environment: dict[str, str]) -> World:
    """Return a world of which nothing runs yet."""
    cluster, postgres = Cluster(folder, nodes, SESSION_MS), PostgresServer(folder / "postgres")
    services = Services(
        cluster.address, postgres.address, "cluster", folder, step_modules, 6, environment
    )
    names = ("api", *WORKERS)
    return World(cluster, postgres, services, dict(zip(names, free_ports(len(names)), strict=True)))
