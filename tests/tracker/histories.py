"""Histories of executions as records, written through the contract's own encoder."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from steplog_contracts import events
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import Headers, Record, format_time

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
AN_ERROR = events.ErrorInfo(type="ValueError", message="bad value")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A record with its place in a partition, as a Kafka client hands it over."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int = 0


@dataclass
class History:
    """One execution's events in order; each call returns the record of the next event."""

    execution_id: str = "e-1"
    epoch: int | None = None
    seq: int = 0
    time: datetime = BEGINNING

    def record(self, event: events.Event, *, cause: str | None = None) -> Record:
        """Return the next event's record, one millisecond after the one before."""
        self.seq += 1
        self.time += timedelta(milliseconds=1)
        return self.at(self.seq, event, cause=cause)

    def at(self, seq: int, event: events.Event, *, cause: str | None = None) -> Record:
        """Return an event's record with a given seq."""
        encoder = ExecutionEncoder(self.execution_id, source="/test", writer_epoch=self.epoch)
        return encoder.encode(
            event, seq=seq, time=format_time(self.time).encode(), causation_id=cause
        )

    def started(self, **fields: Any) -> Record:
        """The execution began."""
        cause = fields.pop("cause", None)
        known = {"pipeline_id": "p", "pipeline_name": "P", "total_steps": 1, **fields}
        return self.record(events.ExecutionStarted(**known), cause=cause)

    def step(self, step_id: str = "a", iteration: int = 1, **fields: Any) -> list[Record]:
        """A step started and completed."""
        place = {"step_id": step_id, "iteration": iteration}
        return [
            self.record(events.StepStarted(**place, step_name=step_id.upper(), input={"n": 1})),
            self.record(
                events.StepCompleted(**place, **{"output": {"m": 2}, "duration_ms": 1.5, **fields})
            ),
        ]

    def completed(self, output: Any = None) -> Record:
        """The execution completed."""
        return self.record(events.ExecutionCompleted(output=output, duration_ms=3.0))

    def whole(self, steps: int = 1) -> list[Record]:
        """Everything from beginning to end, one step after another."""
        records = [self.started(total_steps=steps)]
        for number in range(steps):
            records += self.step(f"s{number}")
        return [*records, self.completed({"done": True})]


@dataclass
class Log:
    """One partition: gives records their offsets."""

    entries: list[LogEntry] = field(default_factory=list)

    def append(self, records: Record | Iterable[Record]) -> list[LogEntry]:
        """Return the entries of the records appended."""
        added = [
            LogEntry(offset, record.key, record.value, record.headers)
            for offset, record in enumerate(
                [records] if isinstance(records, Record) else records, len(self.entries)
            )
        ]
        self.entries += added
        return added


def claim(partition: int = 0, owner: str = "x") -> Record:
    """A claim of a partition."""
    encoder = ExecutionEncoder(f"partition-{partition}", source="/test")
    event = events.PartitionClaimed(partition=partition, owner=owner)
    return encoder.encode(
        event, seq=0, time=format_time(BEGINNING).encode(), event_id_text=f"claim-{owner}"
    )


def refused(
    command_id: str,
    execution_id: str = "e-1",
    *,
    code: str = "bad_definition",
    command_type: str = "steplog.command.run_pipeline.v1",
    epoch: int | None = None,
) -> Record:
    """A refusal of a command."""
    encoder = ExecutionEncoder(execution_id, source="/test", writer_epoch=epoch)
    event = events.CommandRefused(
        command_id=command_id, command_type=command_type, code=code, message="No steps."
    )
    return encoder.encode(
        event, seq=0, time=format_time(BEGINNING).encode(), event_id_text=command_id
    )


def interleaved(histories: Iterable[list[Record]]) -> Iterator[Record]:
    """Yield one record of each history in turn until all are used up."""
    waiting = [iter(history) for history in histories]
    while waiting:
        for history in list(waiting):
            record = next(history, None)
            if record is None:
                waiting.remove(history)
            else:
                yield record
