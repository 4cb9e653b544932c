"""Keep the parts of a stack running: start them, notice endings, start again, stop all.

One thread does it by looking around every so often. Children are tied to the thread that starts
them (see `steplog.local.launcher`), so it has to be the main one.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from steplog.errors import LocalError
from steplog.local.restart_policy import RestartPolicy
from steplog.local.server import READY_TIMEOUT_S, Running, Server, await_ready
from steplog.local.stack_state import ProcessState, ProcessStatus

OnChange = Callable[[ProcessState], None]
Clock = Callable[[], float]


@dataclass(slots=True)
class Part:
    """A server or service with what runs of it."""

    server: Server
    state: ProcessState
    running: Running | None = None
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    started_at_s: float = 0.0
    restart_at_s: float | None = None


class Supervisor:
    """The parts that were started, in order."""

    def __init__(self, on_change: OnChange, clock: Clock = time.monotonic) -> None:
        self._on_change = on_change
        self._clock = clock
        self._parts: list[Part] = []

    def start(self, servers: Sequence[Server], timeout_s: float = READY_TIMEOUT_S) -> None:
        """Start servers side by side and return once all answer.

        Raises:
            LocalError: one ended first or took too long.
        """
        parts = [Part(server, state_of(server)) for server in servers]
        for part in parts:
            self._parts.append(part)
            self._launch(part)
        for part in parts:
            assert part.running is not None
            try:
                await_ready(part.server.name, part.running, part.server.is_ready, timeout_s)
            except LocalError as error:
                self._report(part, ProcessStatus.FAILED, note=str(error))
                raise
            self._report(part, ProcessStatus.RUNNING)

    def look_around(self) -> None:
        """Notice what ended, start again what is due, and tell what is ready again."""
        for part in self._parts:
            if part.running is None:
                self._start_again_if_due(part)
            elif part.running.exit_code is not None:
                code, words = part.running.exit_code, part.running.last_words
                self._take_ending(part, f"ended with code {code}: {words}")
            elif part.state.status is not ProcessStatus.RUNNING and part.server.is_ready():
                self._report(part, ProcessStatus.RUNNING)

    def stop(self) -> None:
        """Stop all, the last started first; those of one kind side by side."""
        for services in (True, False):
            group = [p for p in reversed(self._parts) if (p.server.kind == "service") is services]
            for part in group:
                if part.running is not None:
                    part.running.ask_to_stop()
            for part in group:
                if part.running is not None:
                    part.running.stop()
                    part.running = None
                    self._report(part, ProcessStatus.STOPPED)

    def _launch(self, part: Part) -> None:
        self._report(part, ProcessStatus.STARTING)
        part.running = part.server.start()
        part.started_at_s = self._clock()
        part.restart_at_s = None
        self._report(part, ProcessStatus.STARTING)

    def _take_ending(self, part: Part, note: str) -> None:
        now = self._clock()
        part.policy = part.policy.after_ending(now - part.started_at_s)
        part.running = None
        if part.policy.gives_up:
            self._report(part, ProcessStatus.FAILED, note=note)
            return
        part.restart_at_s = now + part.policy.delay_s
        self._report(part, ProcessStatus.RESTARTING, note=note)

    def _start_again_if_due(self, part: Part) -> None:
        if part.restart_at_s is None or self._clock() < part.restart_at_s:
            return
        part.state = part.state.model_copy(update={"restarts": part.state.restarts + 1})
        try:
            self._launch(part)
        except LocalError as error:
            self._take_ending(part, str(error))

    def _report(self, part: Part, status: ProcessStatus, note: str | None = None) -> None:
        running = part.running
        part.state = part.state.model_copy(
            update={
                "status": status,
                "pid": None if running is None else running.pid,
                "log": part.state.log if running is None else running.log,
                "address": part.server.address,
                "since": datetime.now(UTC),
                "note": note or (part.state.note if status is ProcessStatus.STARTING else None),
            }
        )
        self._on_change(part.state)


def state_of(server: Server) -> ProcessState:
    """Return how a server stands before it is started."""
    return ProcessState(name=server.name, kind=server.kind)
