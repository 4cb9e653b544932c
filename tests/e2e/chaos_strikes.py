"""The trouble itself: processes killed and frozen at random moments, and a supervisor's work."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import psutil

from steplog.errors import ServerNotStarted
from steplog.local.server import Running, Server, start_server
from tests.services import Services

EXECUTORS = ("executor-1", "executor-2", "executor-3")
SERVICES = (*EXECUTORS, "tracker")
SESSION_TIMEOUT_MS = 6_000
# Longer than the session: the group has given its partitions away when it wakes up.
FREEZE_S = 9.0
FREEZES = 0.3
# Long enough that now and then the group comes to rest and work goes on.
PAUSE_S = (1.0, 5.0)
AWAY_S = (0.0, 2.0)
SUPERVISE_EVERY_S = 0.3
RESTART_ATTEMPTS = 5


@dataclass(frozen=True)
class Strike:
    """One process was killed, or frozen from `began` to `ended` (epoch seconds)."""

    target: str
    pid: int
    began: float
    ended: float


@dataclass
class Strikes:
    """Strikes processes and brings them back."""

    services: Services
    servers: dict[str, Server]
    running: dict[str, Running]
    random_source: random.Random
    done: list[Strike] = field(default_factory=list)
    _away: set[str] = field(default_factory=set)
    _returns: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def counts(self) -> Counter[str]:
        """Return how often each target was struck, by how."""
        return Counter(
            f"{s.target} {'frozen' if s.ended > s.began else 'killed'}" for s in self.done
        )

    async def go_on_for(self, seconds: float) -> None:
        """Strike at random moments for so long, then bring everything back."""
        targets = (*EXECUTORS, *EXECUTORS, "tracker", *self.servers)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await asyncio.sleep(self.random_source.uniform(*PAUSE_S))
            # Drawn whether used or not, so that a seed plans the same trouble on any machine.
            target = self.random_source.choice(targets)
            freezes = self.random_source.random() < FREEZES
            away_s = FREEZE_S if freezes else self.random_source.uniform(*AWAY_S)
            if target not in self._away:
                self._strike(target, freezes, away_s)
        await asyncio.gather(*self._returns)

    async def supervise(self) -> None:
        """Start again, for ever, what ended by itself."""
        while True:
            await asyncio.sleep(SUPERVISE_EVERY_S)
            for name in SERVICES:
                child = self.services.running.get(name)
                if name not in self._away and (child is None or child.exit_code is not None):
                    self.start(name)

    def start(self, name: str) -> None:
        """Start a service, whether it ran before or not."""
        self.services.running.pop(name, None)
        if name == "tracker":
            self.services.start_tracker()
        else:
            self.services.start_executor(name)

    def _strike(self, target: str, freezes: bool, away_s: float) -> None:
        pid = self._pid(target)
        if pid is None:
            return
        now = time.time()
        self.done.append(Strike(target, pid, now, now + away_s if freezes else now))
        self._away.add(target)
        work = self._freeze(pid, away_s) if freezes else self._kill(target, pid, away_s)
        task = asyncio.create_task(self._see_through(target, work))
        self._returns.add(task)
        task.add_done_callback(self._returns.discard)

    async def _see_through(self, target: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            self._away.discard(target)

    async def _freeze(self, pid: int, away_s: float) -> None:
        send_signal(family_of(pid), signal.SIGSTOP)
        await asyncio.sleep(away_s)
        send_signal(family_of(pid), signal.SIGCONT)

    async def _kill(self, target: str, pid: int, away_s: float) -> None:
        send_signal([psutil.Process(pid)], signal.SIGKILL)
        if target in self.servers:
            await asyncio.to_thread(self.running[target].stop)
            await asyncio.sleep(away_s)
            await asyncio.to_thread(self._restart_server, target)
        else:
            await asyncio.to_thread(self.services.running[target].stop)
            await asyncio.sleep(away_s)
            self.start(target)

    def _restart_server(self, name: str) -> None:
        """PostgreSQL needs a moment until what its dead parent left behind is gone."""
        for attempt in range(RESTART_ATTEMPTS):
            try:
                self.running[name] = start_server(self.servers[name])
                return
            except ServerNotStarted:
                if attempt == RESTART_ATTEMPTS - 1:
                    raise
                time.sleep(1.0)

    def _pid(self, target: str) -> int | None:
        running = self.running.get(target) or self.services.running.get(target)
        if running is None or running.pid is None or running.exit_code is not None:
            return None
        return program_of(running.pid)


def program_of(pid: int) -> int:
    """Return the program itself where a launcher stands before it."""
    process = psutil.Process(pid)
    children = process.children()
    is_launcher = "launcher" in " ".join(process.cmdline()) and children
    return children[0].pid if is_launcher else pid


def family_of(pid: int) -> list[psutil.Process]:
    """Return a process and all it started; nothing if it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def send_signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to those that are still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            os.kill(process.pid, number)
