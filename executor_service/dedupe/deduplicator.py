"""What a partition remembers of commands: the latest exactly, those of the window by where to look.

The usual repeat comes within seconds, after a lost acknowledgement, and is answered from memory.
Everything older is known by its digest alone, and the log is asked before anything is refused.
"""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice
from typing import Generic, TypeVar

from executor_service.dedupe.log_search import LogMatch, Question
from executor_service.dedupe.seen_ids import SeenIds, command_digest, execution_digest
from executor_service.errors import CommandNotApplicable
from executor_service.log.recovery import RecoveredPartition
from steplog_contracts.commands import CancelExecution, ChildEnded, ResumeExecution
from steplog_contracts.envelope import SentCommand
from steplog_contracts.refusal_codes import RefusalCode

ValueT = TypeVar("ValueT")

# Some seconds' worth under load; what came earlier is known by its digest. Ten times as many cost
# an executor of eight partitions some 40 MB more after 100,000 executions.
MAX_REMEMBERED = 1_000


class Remembered(Generic[ValueT]):
    """Keys and values in the order they came, never more than `MAX_REMEMBERED`."""

    def __init__(self, known: Mapping[str, ValueT]) -> None:
        newest = islice(known.items(), max(0, len(known) - MAX_REMEMBERED), None)
        self._values = OrderedDict(newest)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> ValueT | None:
        """Return the value, or None when unknown or forgotten."""
        return self._values.get(key)

    def put(self, key: str, value: ValueT) -> None:
        """Remember a key; the oldest one goes when the memory is full."""
        self._values[key] = value
        if len(self._values) > MAX_REMEMBERED:
            self._values.popitem(last=False)

    def forget(self, key: str) -> None:
        """Forget a key, if it is known."""
        self._values.pop(key, None)


class Deduplicator:
    """The ids of executions begun and commands handled in one partition."""

    def __init__(self, recovered: RecoveredPartition, seen: SeenIds) -> None:
        self._seen = seen
        self._handled = Remembered[int](recovered.handled_commands)
        self._handled_for = Remembered[str](recovered.handled_for)
        begun = {known.execution_id: known.command_id for known in recovered.executions.values()}
        begun |= {known.execution_id: known.command_id for known in recovered.headless.values()}
        self._begun = Remembered[str | None](begun)

    def handled_at(self, command_id: str) -> int | None:
        """Return the floor of a command handled lately."""
        return self._handled.get(command_id)

    def handle(self, command_id: str, floor: int, execution_id: str) -> None:
        """Remember a command that has just come."""
        self._handled.put(command_id, floor)
        self._handled_for.put(command_id, execution_id)

    def other_execution(self, command_id: str, execution_id: str) -> str | None:
        """Return the execution that a command of this id was for, if it was another one."""
        handled_for = self._handled_for.get(command_id)
        return None if handled_for == execution_id else handled_for

    def begun_lately(self, execution_id: str) -> bool:
        """Return whether an execution was begun or taken up by this owner, lately."""
        return execution_id in self._begun

    def begun(self, execution_id: str) -> bool:
        """Return whether an execution was begun within the window, as far as memory alone tells."""
        return (
            execution_id in self._begun
            or self._seen.search_offset(execution_digest(execution_id)) is not None
        )

    def begin(self, execution_id: str, command_id: str, floor: int) -> None:
        """Remember an execution whose first event stands at `floor` or after it."""
        self._begun.put(execution_id, command_id)
        self._seen.put(execution_digest(execution_id), floor)

    def reserve(self, execution_id: str, command_id: str) -> None:
        """Keep others from beginning an execution while it is being prepared."""
        self._begun.put(execution_id, command_id)

    def unreserve(self, execution_id: str) -> None:
        """Let an id be used after all: nothing began."""
        self._begun.forget(execution_id)

    def carry_out(self, command_id: str, floor: int) -> None:
        """Remember a command that changes an execution begun by another one."""
        self._seen.put(command_digest(command_id), floor)

    def question(self, sent: SentCommand) -> Question | None:
        """Return what to ask the log before a command is carried out; None: it is surely new.

        What begins an execution is known by the execution's id; the rest by the command's own.
        """
        if isinstance(sent.command, CancelExecution | ResumeExecution | ChildEnded):
            offset = self._seen.search_offset(command_digest(sent.command_id))
            return None if offset is None else Question(offset, command_id=sent.command_id)
        execution_id = sent.command.execution_id
        offset = self._seen.search_offset(execution_digest(execution_id))
        return None if offset is None else Question(offset, execution_id=execution_id)


def ids_in_tail(recovered: RecoveredPartition, start: int) -> list[tuple[int, int]]:
    """Return (digest, events offset) of every id met from an offset on, in the log's order."""
    began = {known.command_id for known in recovered.executions.values()}
    found = [
        (known.first_offset, execution_digest(known.execution_id))
        for known in recovered.executions.values()
    ]
    found += [
        (offset, command_digest(command_id))
        for command_id, offset in recovered.handled_commands.items()
        if command_id not in began
    ]
    return [(digest, offset) for offset, digest in sorted(found) if offset >= start]


def repeated(sent: SentCommand, found: LogMatch) -> CommandNotApplicable:
    """Return the refusal of a command whose effect is in the log already."""
    if found.removed:
        return CommandNotApplicable(
            RefusalCode.HISTORY_REMOVED,
            f"Events from offset {found.offset} on were removed from the log, and with them what "
            "became of this command before. Send another one under an id of its own.",
        )
    if isinstance(sent.command, CancelExecution | ResumeExecution | ChildEnded):
        return CommandNotApplicable(
            RefusalCode.DUPLICATE_COMMAND,
            f"Command {sent.command_id} was carried out before; its effect stands at offset "
            f"{found.offset} of the events. Send another one under an id of its own.",
        )
    return CommandNotApplicable(
        RefusalCode.DUPLICATE_EXECUTION,
        f"An execution {sent.command.execution_id} exists already, recorded at offset "
        f"{found.offset} of the events; choose another id.",
    )
