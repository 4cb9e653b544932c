"""An owner of one partition on a log in memory, and commands to give it."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from executor_service.admission.slots import ExecutionSlots
from executor_service.context import ExecutorContext
from executor_service.definitions.catalogue import DefinitionCatalogue
from executor_service.definitions.step_loader import Allowlist
from executor_service.partition.owner import PartitionOwner
from executor_service.partition.takeover import PartitionLogs, Takeover
from executor_service.payloads.client import Payloads
from executor_service.ports.command_source import ReceivedRecord
from executor_service.ports.resume_point import ResumePoint
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import CancelExecution, Command, ResumeExecution, RunPipeline
from steplog_contracts.envelope import NO_SEQ, Record, SentCommand
from steplog_contracts.events import CommandRefused, Event
from steplog_contracts.payload import JsonObject
from tests.executor.support import people_steps
from tests.executor.support.fakes import FakeEventLog, ManualClock, SharedLog, settle

PARTITION = 0
CAPACITY = 100
# Owners of the test that runs; `conftest` releases them, or one that ends would let another begin.
OPEN: "list[Owning]" = []


def linear(*classes: str) -> JsonObject:
    """Return a definition of steps s1, s2, ... of `people_steps`."""
    ids = [f"s{number}" for number in range(1, len(classes) + 1)]
    return {
        "name": "linear",
        "steps": [
            {"id": step, "module": people_steps.__name__, "step_class": name}
            for step, name in zip(ids, classes, strict=True)
        ],
        "flow": {
            "start_at": ids[0],
            "paths": [{"from_step": a, "to_step": b} for a, b in pairwise(ids)],
        },
    }


class Owning:
    """One process that owns the partition; `restarted` is the next one on the same log."""

    def __init__(
        self,
        events: SharedLog | None = None,
        parked: SharedLog | None = None,
        clock: ManualClock | None = None,
        committed: ResumePoint | None = None,
        commands: list[Record] | None = None,
        payloads: Payloads | None = None,
        seen: SharedLog | None = None,
        capacity: int = CAPACITY,
        *,
        pipelines: Path | None = None,
    ) -> None:
        self.events = events or SharedLog()
        self.parked = parked or SharedLog()
        self.seen = seen or SharedLog()
        self.clock = clock or ManualClock()
        self.committed = committed or ResumePoint(0, 0, None)
        self.commands: list[Record] = commands or []
        self.payloads = payloads or Payloads()
        self.set_aside: list[tuple[ReceivedRecord, str]] = []
        self.slots = ExecutionSlots(capacity)
        self.partition_of: Callable[[str], int] = lambda _: PARTITION
        self.pipelines = pipelines
        self.context = self._context()
        self.logs = PartitionLogs(
            FakeEventLog(self.events), FakeEventLog(self.parked), FakeEventLog(self.seen)
        )
        self.owner: PartitionOwner

    def _context(self) -> ExecutorContext:
        return ExecutorContext(
            instance="test",
            catalogue=DefinitionCatalogue(
                Allowlist(["tests.executor.*"]),
                self.pipelines,
            ),
            slots=self.slots,
            clock=self.clock,
            partition_of=self._partition_of,
            set_aside=self._set_aside,
            send=self._send,
            payloads=self.payloads,
        )

    def _partition_of(self, execution_id: str) -> int:
        return self.partition_of(execution_id)  # Looked up late: tests replace it.

    async def _send(self, record: Record) -> None:
        """Put a command of an executor on the topic; it is fed as any other."""
        self.commands.append(record)
        offset = len(self.commands) - 1
        asyncio.get_running_loop().call_soon(self._feed_in_turn, offset)

    def _feed_in_turn(self, offset: int) -> None:
        # As the topic would: each once, in order, to the owner of the moment.
        if self.owner.live and self.owner.next_command == offset:
            self._feed(offset)

    async def _set_aside(self, record: ReceivedRecord, reason: str) -> None:
        self.set_aside.append((record, reason))

    @property
    def lost(self) -> bool:
        """Whether the log took the partition away."""
        lost = self.owner.lost
        return lost.done() and not lost.cancelled()

    async def begin(self) -> "Owning":
        """Take the partition over and be fed every command from the committed one on."""
        OPEN.append(self)
        self.owner = await Takeover(PARTITION, self.logs, self.context).run(self.committed)
        for offset in range(self.owner.next_command, len(self.commands)):
            self._feed(offset)
        await settle()
        return self

    async def restarted(self, *, commit: bool = True) -> "Owning":
        """Return a new process after this one died; `commit` before, as it does every second."""
        if commit:
            await self.owner.save_ids()
            self.commit()
        await self.owner.release()
        after = Owning(
            self.events,
            self.parked,
            self.clock,
            self.committed,
            self.commands,
            self.payloads,
            self.seen,
            self.slots.capacity,
        )
        return await after.begin()

    def commit(self) -> ResumePoint:
        """Commit what is done."""
        point = self.owner.commit_point()
        assert point is not None
        self.committed = point
        return point

    async def send(self, command: Command, command_id: str = "") -> None:
        """Put a command on the topic and hand it over."""
        command_id = command_id or f"c{len(self.commands)}"
        sent = SentCommand(command_id, "/test", self.clock.now(), command)
        await self.send_record(encode_command(sent))

    async def send_record(self, record: Record) -> None:
        """Put any record on the topic and hand it over."""
        self.commands.append(record)
        self._feed(len(self.commands) - 1)
        await settle()

    def put(self, command: Command) -> None:
        """Put a command on the topic and hand it over, without waiting for anything."""
        sent = SentCommand(f"c{len(self.commands)}", "/test", self.clock.now(), command)
        self.commands.append(encode_command(sent))
        self._feed(len(self.commands) - 1)

    async def run(self, execution_id: str, *classes: str, **fields: Any) -> None:
        """Send a RunPipeline of a linear definition."""
        definition = linear(*classes)
        await self.send(RunPipeline(execution_id=execution_id, definition=definition, **fields))

    async def run_definition(
        self, execution_id: str, definition: JsonObject, **fields: Any
    ) -> None:
        """Send a RunPipeline of any definition."""
        await self.send(RunPipeline(execution_id=execution_id, definition=definition, **fields))

    async def cancel(self, execution_id: str) -> None:
        """Send a CancelExecution."""
        await self.send(CancelExecution(execution_id=execution_id, reason="asked"))

    async def resume(self, execution_id: str, **answer: Any) -> None:
        """Send a ResumeExecution."""
        await self.send(ResumeExecution(execution_id=execution_id, human_input=answer))

    def history(self, execution_id: str) -> list[Event]:
        """Return the execution's events that readers take."""
        return [
            recorded.event
            for recorded in self.events.taken(PARTITION)
            if recorded.envelope.execution_id == execution_id and recorded.envelope.seq != NO_SEQ
        ]

    def kinds(self, execution_id: str) -> list[str]:
        """Return the history as class names."""
        return [type(event).__name__ for event in self.history(execution_id)]

    def refusals(self) -> list[tuple[str, str]]:
        """Return (command id, code) of every refusal."""
        return [
            (recorded.event.command_id, recorded.event.code)
            for recorded in self.events.taken(PARTITION)
            if isinstance(recorded.event, CommandRefused)
        ]

    def at(self, seconds: float) -> datetime:
        """Return a time so many seconds from the clock's now."""
        return self.clock.now() + timedelta(seconds=seconds)

    def _feed(self, offset: int) -> None:
        record = self.commands[offset]
        self.owner.receive(
            [ReceivedRecord(PARTITION, offset, record.key, record.value, record.headers)]
        )
