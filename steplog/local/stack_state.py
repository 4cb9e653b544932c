"""What a running stack tells about itself, in a file that `steplog status` and clients read."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from steplog_contracts.addresses import without_passwords


class ProcessStatus(StrEnum):
    """How one part of the stack stands."""

    WAITING = "waiting"  # For those it needs.
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    FAILED = "failed"  # It ended too often and is left alone.
    STOPPED = "stopped"


class ProcessState(BaseModel):
    """One part: a server or a service."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str  # given, docker, local or service.
    status: ProcessStatus = ProcessStatus.WAITING
    pid: int | None = None
    restarts: int = 0
    since: datetime | None = None  # When this status began.
    address: str | None = None
    log: str | None = None
    note: str | None = None  # Why it is not running, for people.


class StackState(BaseModel):
    """The stack as a whole."""

    model_config = ConfigDict(frozen=True)

    supervisor_pid: int
    started_at: datetime
    ready: bool = False
    stopping: bool = False
    topic_namespace: str
    partitions: int
    kafka_bootstrap_servers: str | None = None
    database_url: str | None = None
    api_url: str | None = None
    payload_store: str | None = None
    processes: tuple[ProcessState, ...] = ()

    def process(self, name: str) -> ProcessState:
        """Return one part by its name."""
        return next(process for process in self.processes if process.name == name)

    def with_process(self, changed: ProcessState) -> "StackState":
        """Return the state with one part replaced."""
        processes = tuple(changed if p.name == changed.name else p for p in self.processes)
        return self.model_copy(update={"processes": processes})

    def shown(self) -> "StackState":
        """Return the state as people see it: no address shows its password."""
        return StackState.model_validate(_shown(self.model_dump()))

    @property
    def is_whole(self) -> bool:
        """Whether every part runs."""
        return all(p.status is ProcessStatus.RUNNING for p in self.processes)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return without_passwords(value)
    if isinstance(value, dict):
        return {name: _shown(part) for name, part in value.items()}
    return [_shown(part) for part in value] if isinstance(value, list | tuple) else value
