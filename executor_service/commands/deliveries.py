"""Commands that were being taken when a process died: noted before, so that the third time is last.

What ends a process leaves no refusal, and its command comes again to every next owner. So for a
minute after a takeover an owner notes on the seen topic which commands it is about to take, and
that it has taken them. A note without the second part is a process that died meanwhile. Commands of
such a note are taken one by one from then on; one that was noted alone and before is refused.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from executor_service.commands.intake import CommandIntake
from executor_service.context import ExecutorContext
from executor_service.errors import CommandNotApplicable
from executor_service.ports.command_source import ReceivedRecord
from executor_service.ports.event_log import EventLog, LoggedRecord
from steplog_contracts.envelope import CONTENT_TYPE_JSON, Record, required_headers
from steplog_contracts.refusal_codes import RefusalCode

NOTE_TYPE: Final = "steplog.commands.taking.v1"
MAX_TIMES: Final = 2  # Noted so often, after it had come once unnoted: that makes three.
CAREFUL_S: Final = 60.0
SETTLE_S: Final = 2.0  # For what a command has to wait for before it is begun.
MAX_NOTED: Final = 16
SKIPPED: Final = 1_000_000  # Instead of a number of times: a person said so.

_log = structlog.get_logger(__name__)


class Taking(NamedTuple):
    """Commands from an offset up to another, and how often a process died while it took them."""

    start: int
    end: int
    times: int


class Deliveries:
    """Hands commands to the intake of one partition."""

    def __init__(self, log: EventLog, partition: int, context: ExecutorContext) -> None:
        self._log = log
        self._partition = partition
        self._context = context
        self._noted: list[Taking] = []
        self._careful_until_s = 0.0

    def learn(self, logged: LoggedRecord) -> bool:
        """Take in a note of a former owner; False when the record is none."""
        if ("ce_type", NOTE_TYPE.encode()) not in logged.headers:
            return False
        self._noted = [Taking(*map(int, one)) for one in json.loads(logged.value or b"[]")]
        return True

    def be_careful(self, epoch_before: int | None) -> None:
        """Note what is taken for a while, if there was an owner before: it may have died."""
        if epoch_before is not None:
            self._careful_until_s = self._context.clock.monotonic_s() + CAREFUL_S

    async def hand_over(
        self, records: Sequence[ReceivedRecord], intake: Callable[[], CommandIntake | None]
    ) -> None:
        """Give records to the intake, as long as there is one."""
        if not self._noted and self._context.clock.monotonic_s() > self._careful_until_s:
            groups: Iterator[Sequence[ReceivedRecord]] = iter([records])
            careful = False
        else:
            groups, careful = self._groups(records), True
        for group in groups:
            times = self._times(group[0].offset)
            if careful and times < MAX_TIMES:
                await self._note(Taking(group[0].offset, group[-1].offset + 1, times + 1))
            if times:
                offset = group[0].offset
                _log.warning(
                    "command_taken_again", partition=self._partition, offset=offset, times=times
                )
            taking = intake()
            if taking is None:
                return
            if careful and times >= MAX_TIMES:
                taking.refuse(group[0], _stuck(times))
            else:
                for record in group:
                    taking.take(record)
            if careful:
                await self._settle(taking)
                self._forget_until(group[-1].offset + 1)
                await self._note(None)

    async def _settle(self, intake: CommandIntake) -> None:
        if intake.tasks.pending:
            await asyncio.wait(set(intake.tasks.pending), timeout=SETTLE_S)

    def _times(self, offset: int) -> int:
        return max((t.times for t in self._noted if t.start <= offset < t.end), default=0)

    def _groups(self, records: Sequence[ReceivedRecord]) -> Iterator[Sequence[ReceivedRecord]]:
        """Return what died before by itself, and the rest together."""
        together: list[ReceivedRecord] = []
        for record in records:
            if self._times(record.offset) == 0:
                together.append(record)
                continue
            if together:
                yield together
                together = []
            yield [record]
        if together:
            yield together

    def _forget_until(self, offset: int) -> None:
        self._noted = [
            Taking(max(taking.start, offset), taking.end, taking.times)
            for taking in self._noted
            if taking.end > offset
        ]

    async def _note(self, taking: Taking | None) -> None:
        noted = [*self._noted, *([] if taking is None else [taking])][-MAX_NOTED:]
        context = self._context
        now = context.clock.now()
        try:
            record = _record(noted, context.new_id(), context.source, now)
            await self._log.append(self._partition, [record])
        except Exception as error:  # Without a note it is taken all the same.
            _log.warning("taking_not_noted", partition=self._partition, reason=str(error))


def skip_note(offset: int, record_id: str, time: datetime) -> Record:
    """Return the note by which a person has the command at an offset refused."""
    return _record([Taking(offset, offset + 1, SKIPPED)], record_id, "/steplog/operator", time)


def _record(noted: Sequence[Taking], record_id: str, source: str, time: datetime) -> Record:
    headers = required_headers(record_id, source, NOTE_TYPE, time, CONTENT_TYPE_JSON)
    return Record(b"taking", json.dumps(noted).encode(), headers)


def _stuck(times: int) -> CommandNotApplicable:
    if times >= SKIPPED:
        return CommandNotApplicable(
            RefusalCode.COMMAND_SKIPPED,
            "A person had it skipped; send another command if it is wanted.",
        )
    return CommandNotApplicable(
        RefusalCode.COMMAND_STUCK,
        f"Processes died {times + 1} times while they took it, so it is not tried again; see the "
        "executors' logs and memory, then send another command.",
    )
