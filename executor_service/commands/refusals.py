"""Refusals as facts of the log: whoever sent the command can read why."""

import uuid

import structlog

from executor_service.context import ExecutorContext
from executor_service.engine.error_text import cut, text_of
from executor_service.errors import CommandNotApplicable, DefinitionRefused, InputRefused
from executor_service.log.writer import PartitionWriter
from executor_service.payload_errors import PayloadMissing, PayloadNotStored
from executor_service.ports.command_source import ReceivedRecord
from executor_service.service_errors import UnknownPipeline
from steplog_contracts.codec import read_attributes
from steplog_contracts.commands import EXECUTION_ID, is_id
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import NO_SEQ, SentCommand, format_time
from steplog_contracts.errors import (
    AlteredPayload,
    SteplogError,
    UndecodableRecord,
    UnknownRecordType,
)
from steplog_contracts.events import CommandRefused
from steplog_contracts.headers import Attributes
from steplog_contracts.refusal_codes import RefusalCode

_log = structlog.get_logger(__name__)
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://steplog.dev/refusals")
# Stable codes for programs, most specific first.
_CODES: tuple[tuple[type[SteplogError], RefusalCode], ...] = (
    (UnknownPipeline, RefusalCode.UNKNOWN_PIPELINE),
    (DefinitionRefused, RefusalCode.BAD_DEFINITION),
    (InputRefused, RefusalCode.BAD_INPUT),
    (UnknownRecordType, RefusalCode.UNKNOWN_COMMAND),
    (PayloadNotStored, RefusalCode.PAYLOAD_NOT_STORED),
    (PayloadMissing, RefusalCode.PAYLOAD_MISSING),
    (AlteredPayload, RefusalCode.PAYLOAD_ALTERED),
)
_DEFAULT_CODE = RefusalCode.BAD_COMMAND
MAX_TYPE_CHARS = 200


class Refusals:
    """Appends CommandRefused under the partition's claim."""

    def __init__(self, writer: PartitionWriter, context: ExecutorContext) -> None:
        self._writer = writer
        self._context = context

    async def refuse(self, sent: SentCommand, offset: int, error: SteplogError) -> None:
        """Record that a command changes nothing, and why."""
        refused = _refused(sent.command_id, sent.command.command_type, error)
        refused = refused.model_copy(update={"requested_by": sent.command.requested_by})
        await self._record(sent.command.execution_id, refused, offset)

    async def refuse_twin(self, sent: SentCommand, offset: int, other: str) -> None:
        """Record that another execution's command has this id; its own fate is not touched."""
        error = CommandNotApplicable(
            RefusalCode.DUPLICATE_COMMAND,
            f"Command {sent.command_id} came before, for execution {other}; send this one under "
            "an id of its own.",
        )
        refused = _refused(sent.command_id, sent.command.command_type, error)
        execution_id = sent.command.execution_id
        await self._record(execution_id, refused, offset, f"{sent.command_id}/{execution_id}")

    async def refuse_unreadable(self, record: ReceivedRecord, error: SteplogError) -> bool:
        """Record the refusal of what is no command; False when it names no command, or names one
        as nothing can be named."""
        headers = _attributes(record)
        command_id, subject = _text(headers.get("ce_id")), _text(headers.get("ce_subject"))
        execution_id = subject or _text(record.key)
        if command_id is None or execution_id is None:
            return False
        if not is_id(command_id) or EXECUTION_ID.fullmatch(execution_id) is None:
            return False
        command_type = cut(_text(headers.get("ce_type")) or "unknown", MAX_TYPE_CHARS)
        await self._record(execution_id, _refused(command_id, command_type, error), record.offset)
        return True

    async def _record(
        self, execution_id: str, refused: CommandRefused, offset: int, known_as: str | None = None
    ) -> None:
        command_id = refused.command_id
        encoder = ExecutionEncoder(
            execution_id,
            source=self._context.source,
            correlation_id=command_id,
            writer_epoch=self._writer.epoch,
        )
        encoded = encoder.encode(
            refused,
            seq=NO_SEQ,
            time=format_time(self._context.clock.now()).encode(),
            causation_id=command_id,
            command_offset=offset,
            # The same refusal after a redelivery is the same event.
            event_id_text=str(uuid.uuid5(_NAMESPACE, known_as or command_id)),
        )
        await self._writer.append([encoded])


def _refused(command_id: str, command_type: str, error: SteplogError) -> CommandRefused:
    return CommandRefused(
        command_id=command_id,
        command_type=command_type,
        code=code_of(error).value,
        message=text_of(error),
    )


def code_of(error: SteplogError) -> RefusalCode:
    """Return the stable code of a refusal."""
    if isinstance(error, CommandNotApplicable | UndecodableRecord):
        return error.code
    return next((code for kind, code in _CODES if isinstance(error, kind)), _DEFAULT_CODE)


def _attributes(record: ReceivedRecord) -> Attributes:
    """Return what names a command, in either CloudEvents mode as far as it can be read."""
    try:
        return read_attributes(record.value, record.headers)[0]
    except UndecodableRecord:
        return dict(record.headers)


def _text(value: bytes | None) -> str | None:
    """Return readable text, or None: a header nobody can read names nothing."""
    if not value:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
