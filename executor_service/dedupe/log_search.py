"""Did this happen before? The log is asked, for many commands with one read.

Asked only for an id that the compact memory holds or seems to hold, so for repeats. Repeats come in
crowds (a client sends yesterday's commands again), hence whoever asks while a read is under way
shares the next one.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from executor_service.dedupe.seen_ids import SeenIds
from executor_service.log.record_header import read_heading
from executor_service.ports.event_log import EventLog, LoggedRecord
from steplog_contracts.epoch import EpochRule
from steplog_contracts.errors import ContractError
from steplog_contracts.seen_record import CHUNK_EVENTS

# A question further on than this from the one before gets a read of its own.
MAX_CHUNKS_APART = 16


@dataclass(frozen=True, slots=True)
class LogMatch:
    """The first event that proves it, and where the command that led to it stands."""

    offset: int
    command_offset: int | None
    removed: bool = False  # There may have been a proof, where retention has removed the events.


@dataclass(slots=True, eq=False)
class Question:
    """One id: an execution's, proven by any event of it, or a command's, by any effect of it."""

    search_offset: int
    execution_id: str | None = None
    command_id: str | None = None
    answer: asyncio.Future[LogMatch | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class LogSearch:
    """Answers questions about one partition of the log."""

    def __init__(self, log: EventLog, partition: int, seen: SeenIds) -> None:
        self._log = log
        self._partition = partition
        self._seen = seen
        self._waiting: list[Question] = []
        self._reading: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> LogMatch | None:
        """Return the proof, or None where the log has none: then it never happened."""
        self._waiting.append(question)
        if self._reading is None:
            self._reading = asyncio.create_task(self._answer_all())
        return await question.answer

    def close(self) -> None:
        """Answer no more."""
        if self._reading is not None:
            self._reading.cancel()

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                questions, self._waiting = self._waiting, []
                for group in neighbours(questions):
                    await self._answer(group)
        finally:
            self._reading = None

    async def _answer(self, questions: list[Question]) -> None:
        """Read until every question is answered, to the log's end if one never is."""
        open_ = _Open(questions)
        try:
            start = questions[0].search_offset
            rule = EpochRule(self._seen.epoch_at(start))
            end = await self._log.end_offset(self._partition)
            first = None if start < end else start
            async for logged in self._log.read(self._partition, start, end):
                first = logged.offset if first is None else first
                open_.look_at(logged, rule)
                if not open_:
                    return
            open_.give_up(end if first is None else first)
        except Exception as error:  # Whoever asked refuses its command, with this as the reason.
            open_.fail(error)


def neighbours(questions: Iterable[Question]) -> list[list[Question]]:
    """Return the questions in groups that one read can answer, in the order of the log."""
    groups: list[list[Question]] = []
    for question in sorted(questions, key=lambda asked: asked.search_offset):
        near = groups and (
            question.search_offset - groups[-1][-1].search_offset <= MAX_CHUNKS_APART * CHUNK_EVENTS
        )
        if near:
            groups[-1].append(question)
        else:
            groups.append([question])
    return groups


class _Open:
    """Questions of one read that are not answered yet."""

    def __init__(self, questions: list[Question]) -> None:
        self._executions: dict[str, list[Question]] = {}
        self._commands: dict[str, list[Question]] = {}
        for question in questions:
            if question.execution_id is not None:
                self._executions.setdefault(question.execution_id, []).append(question)
            if question.command_id is not None:
                self._commands.setdefault(question.command_id, []).append(question)

    def __bool__(self) -> bool:
        return bool(self._executions or self._commands)

    def look_at(self, logged: LoggedRecord, rule: EpochRule) -> None:
        try:
            heading = read_heading(logged)
        except ContractError:
            return  # Nobody reads it, so it proves nothing.
        event_type = heading.event_class.event_type
        if not rule.admits(logged.offset, event_type, heading.writer_epoch):
            return
        found = LogMatch(logged.offset, heading.command_offset)
        if heading.seq:
            self._settle(self._executions, heading.execution_id, found)
        if heading.causation_id is not None and heading.writer_epoch is not None:
            self._settle(self._commands, heading.causation_id, found)

    def give_up(self, log_begins: int) -> None:
        for question in self._all():
            was_removed = question.search_offset < log_begins
            found = LogMatch(question.search_offset, None, removed=True) if was_removed else None
            question.answer.set_result(found)

    def fail(self, error: Exception) -> None:
        for question in self._all():
            question.answer.set_exception(error)

    def _settle(self, asked: dict[str, list[Question]], key: str, found: LogMatch) -> None:
        for question in asked.pop(key, ()):
            if not question.answer.done():
                question.answer.set_result(found)

    def _all(self) -> list[Question]:
        lists = [*self._executions.values(), *self._commands.values()]
        return [q for questions in lists for q in questions if not q.answer.done()]
