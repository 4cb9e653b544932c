"""The events topic as bytes, and what rows follow from it, in code that shares none with steplog.

Types and headers are named as they stand on the wire, and the rule of claims and the fold are the
judge's own, so that a mistake in the product's is not made a second time here.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

CLAIMED = "steplog.partition.claimed.v1"
STARTED = "steplog.execution.started.v1"
WAITING = "steplog.step.waiting.v1"
STEP_STARTED = "steplog.step.started.v1"
ENDED = {
    "steplog.execution.completed.v1": "completed",
    "steplog.execution.failed.v1": "failed",
    "steplog.execution.cancelled.v1": "cancelled",
}
STEP_COMPLETED = "steplog.step.completed.v1"
STEP_ENDED = {
    STEP_COMPLETED: "completed",
    "steplog.step.failed.v1": "failed",
    "steplog.step.cancelled.v1": "cancelled",
}

OPEN = ("running", "waiting_for_human")


class Fact(NamedTuple):
    """An event that counts, and where it stands."""

    partition: int
    offset: int
    kind: str
    execution_id: str
    seq: int
    body: Mapping[str, Any]

    @property
    def visit(self) -> tuple[str, int]:
        """The step and the iteration it is about."""
        return self.body["step_id"], self.body["iteration"]


class Logged(Protocol):
    """A record as a consumer gets it."""

    @property
    def offset(self) -> int:
        """Its number in the partition."""

    @property
    def value(self) -> bytes | None:
        """Its payload."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Names and values."""


Histories = Mapping[str, Sequence[Fact]]


def histories_of(log: Mapping[int, Iterable[Logged]]) -> dict[str, list[Fact]]:
    """Return each execution's events that count, in order; claims and refusals are of none."""
    histories: dict[str, list[Fact]] = defaultdict(list)
    for partition, records in log.items():
        for fact in facts_of(partition, records):
            if fact.seq:
                histories[fact.execution_id].append(fact)
    return histories


def facts_of(partition: int, records: Iterable[Logged]) -> list[Fact]:
    """Return what counts of a partition: what was appended under the newest claim before it."""
    claim: int | None = None
    facts = []
    for record in records:
        headers = {name: value.decode() for name, value in record.headers}
        if headers["ce_type"] == CLAIMED:
            claim = record.offset
            continue
        epoch = headers.get("ce_writerepoch")
        if epoch is not None and int(epoch) != claim:
            continue  # A former owner's late append.
        facts.append(
            Fact(
                partition,
                record.offset,
                headers["ce_type"],
                headers["ce_subject"],
                int(headers.get("ce_sequence", 0)),
                json.loads(record.value or b"{}"),
            )
        )
    return facts


@dataclass
class Rows:
    """An execution's rows: its status, its newest seq, and of its begun steps status and output.

    Only what completed has an output here.
    """

    status: str = "running"
    seq: int = 0
    steps: dict[tuple[str, int], tuple[str, Any]] = field(default_factory=dict)


def fold(history: Iterable[Fact]) -> Rows:
    """Return the rows that follow from an execution's events once nothing of it runs."""
    rows = Rows()
    for fact in history:
        rows.seq = fact.seq
        if fact.kind == STEP_STARTED:
            rows.steps[fact.visit] = ("running", None)
        elif fact.kind == WAITING:
            rows.steps[fact.visit] = ("waiting_for_human", None)
            rows.status = "waiting_for_human"
        elif fact.kind in STEP_ENDED and fact.visit in rows.steps:
            output = fact.body["output"] if fact.kind == STEP_COMPLETED else None
            rows.steps[fact.visit] = (STEP_ENDED[fact.kind], output)
        elif fact.kind in ENDED:
            rows.status = ENDED[fact.kind]
            # What an ending leaves open is withdrawn.
            rows.steps = {
                visit: ("cancelled", None) if status in OPEN else (status, output)
                for visit, (status, output) in rows.steps.items()
            }
    return rows
