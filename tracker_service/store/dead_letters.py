"""Dead letters: records set aside, kept byte for byte until a person decides.

`open` is the record at fault, `parked` one of the same execution behind it; `applied` and `skipped`
are the two ways out.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from tracker_service.projections.errors import TrackerError
from tracker_service.projections.row_changes import Changes, SetAside
from tracker_service.store.write_port import Advance, Loaded, RawRecord

OPEN: Final = "open"
PARKED: Final = "parked"
APPLIED: Final = "applied"
SKIPPED: Final = "skipped"
MAX_LISTED: Final = 1000


@dataclass(frozen=True, slots=True)
class Letter:
    """One record set aside. `record` is None in lists."""

    id: int
    topic: str
    partition: int
    offset: int
    execution_id: str | None
    seq: int
    status: str
    code: str
    reason: str
    epoch: int | None
    set_aside_at: datetime
    resolved_at: datetime | None
    record: RawRecord | None = None


@dataclass(slots=True)
class Mended:
    """What a repair makes of an execution's letters: rows to write, letters resolved or still bad.

    `resolved` maps letter ids to `applied` or `skipped`; `stuck` is the letter that is at fault
    now, with its newest code and reason.
    """

    changes: Changes = field(default_factory=Changes)
    resolved: dict[int, str] = field(default_factory=dict)
    stuck: tuple[int, str, str] | None = None


# Given the execution's letters that were not applied, and its state, decide.
Mend = Callable[[Sequence[Letter], Loaded], Mended]


class NoSuchLetter(TrackerError):
    """No dead letter has that number."""


class DeadLetters(Protocol):
    """Letters of a read model and the one way to repair them."""

    async def letters(self, *, unresolved: bool, limit: int) -> Sequence[Letter]:
        """Return letters without their bytes, oldest first."""

    async def letter(self, letter_id: int) -> Letter:
        """Return one letter with its bytes; raises `NoSuchLetter`."""

    async def repair(self, letter_id: int, mend: Mend) -> Mended:
        """Hand all letters of its execution that were not applied to `mend`, write its result.

        One transaction, which holds the partition's position, so the live worker waits; then it
        finds the position's generation changed and reads states anew.
        """


def letter_row(step: Advance, letter: SetAside) -> tuple[Any, ...]:
    """Return the row of a record that is set aside now."""
    record = step.raw[letter.offset]
    return (
        step.topic,
        step.partition,
        letter.offset,
        letter.execution_id,
        letter.seq,
        PARKED if letter.parked else OPEN,
        letter.code,
        letter.reason,
        record.key,
        record.value,
        headers_text(record.headers),
        letter.epoch,
    )


def headers_text(headers: Sequence[tuple[str, bytes | None]]) -> str:
    """Return headers as JSON, their values in base64: they may hold any bytes, or be null."""
    return json.dumps([[name, _base64(value)] for name, value in headers])


def read_headers(text: str) -> tuple[tuple[str, bytes | None], ...]:
    """Return headers from their JSON."""
    return tuple(
        (name, None if value is None else base64.b64decode(value))
        for name, value in json.loads(text)
    )


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def executions_of(letter: Letter) -> list[str]:
    """Return which executions a letter may concern; its key tells where its headers did not."""
    named = {letter.execution_id or ""}
    if letter.record is not None and letter.record.key is not None:
        named.add(letter.record.key.decode(errors="replace").replace("\x00", ""))
    return sorted(named)
