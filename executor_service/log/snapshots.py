"""Executions set down on the parked topic, so that they hold neither memory nor the mark.

Written under a claim of the parked partition, with the same writer and the same check of holes as
events: a former owner's late snapshot is ignored by every reader, so it can't bring an ended
execution back. Claims have keys of their own, so compaction keeps them all.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog

from executor_service.log.writer import PartitionWriter
from executor_service.ports.event_log import LoggedRecord
from executor_service.writer_identity import WriterIdentity
from steplog_contracts.envelope import (
    CONTENT_TYPE_JSON,
    NO_SEQ,
    SEQUENCE_DIGITS,
    Headers,
    Record,
    format_time,
    required_headers,
)
from steplog_contracts.epoch import EpochRule
from steplog_contracts.errors import UndecodableRecord
from steplog_contracts.headers import (
    Attributes,
    execution_id_of,
    number_of,
    optional_number_of,
    optional_text_of,
    text_of,
    time_of,
)
from steplog_contracts.limits import MAX_SNAPSHOT_BYTES
from steplog_contracts.parked_execution import (
    CONCURRENCY_KEY_HEADER,
    PARKED_TYPE,
    UNPARKED_TYPE,
    WAKE_AT_HEADER,
    ParkedExecution,
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A parked execution, unread until it is needed."""

    execution_id: str
    seq: int
    wake_at: datetime | None
    value: bytes
    concurrency_key: str | None = None
    recorded_at: datetime | None = None

    @property
    def may_refer(self) -> bool:
        """Whether stored values may have to be fetched; users' data can look like it."""
        return b'"references":{' in self.value

    def open(self) -> ParkedExecution:
        """Return what is in it."""
        return ParkedExecution.model_validate_json(self.value)


class ParkedFold:
    """Which executions are parked, from a parked partition's records in offset order."""

    def __init__(self) -> None:
        self._rule = EpochRule()
        self.parked: dict[str, Snapshot] = {}

    def feed(self, logged: LoggedRecord) -> None:
        """Take one record; what nobody can read is passed over."""
        try:
            self._take(logged, dict(logged.headers))
        except (UndecodableRecord, ValueError) as error:
            _log.warning("unreadable_snapshot", offset=logged.offset, reason=str(error))

    def _take(self, logged: LoggedRecord, headers: Attributes) -> None:
        record_type = text_of(headers, "ce_type")
        epoch = optional_number_of(headers, "ce_writerepoch")
        if not self._rule.admits(logged.offset, record_type, epoch):
            return
        if record_type == PARKED_TYPE and logged.value is not None:
            execution_id = execution_id_of(headers)
            wake_at = optional_text_of(headers, WAKE_AT_HEADER)
            self.parked[execution_id] = Snapshot(
                execution_id,
                number_of(headers, "ce_sequence", NO_SEQ),
                datetime.fromisoformat(wake_at) if wake_at else None,
                logged.value,
                optional_text_of(headers, CONCURRENCY_KEY_HEADER),
                time_of(headers),
            )
        elif record_type == UNPARKED_TYPE:
            self.parked.pop(execution_id_of(headers), None)


class SnapshotStore:
    """Sets executions down and takes them up again, for one partition under one claim."""

    def __init__(
        self, writer: PartitionWriter, identity: WriterIdentity, parked: dict[str, Snapshot]
    ) -> None:
        self._writer = writer
        self._identity = identity
        self.parked = parked

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self.parked

    async def park(
        self,
        execution: ParkedExecution,
        wake_at: datetime | None,
        concurrency_key: str | None = None,
    ) -> bool:
        """Set an execution down; False when its history is too long for a snapshot.

        Raises:
            RecordingLost: another executor owns the partition.
        """
        value = execution.to_json()
        if len(value) > MAX_SNAPSHOT_BYTES:
            return False
        headers = self._headers(execution.execution_id, PARKED_TYPE, execution.seq)
        if wake_at is not None:
            headers.append((WAKE_AT_HEADER, format_time(wake_at).encode()))
        if concurrency_key is not None:
            headers.append((CONCURRENCY_KEY_HEADER, concurrency_key.encode()))
        # Known before it is in the log: should the execution end meanwhile, it is cleared after it.
        self.parked[execution.execution_id] = Snapshot(
            execution.execution_id, execution.seq, wake_at, value, concurrency_key
        )
        await self._writer.append([Record(execution.execution_id.encode(), value, headers)])
        return True

    async def clear(self, execution_id: str) -> None:
        """Forget a snapshot whose execution has ended."""
        snapshot = self.parked.pop(execution_id, None)
        if snapshot is not None:
            headers = self._headers(execution_id, UNPARKED_TYPE, snapshot.seq)
            await self._writer.append([Record(execution_id.encode(), None, headers)])

    def _headers(self, execution_id: str, record_type: str, seq: int) -> Headers:
        key = execution_id.encode()
        own = self._identity
        return [
            *required_headers(
                own.new_id(), own.source, record_type, own.clock.now(), CONTENT_TYPE_JSON
            ),
            ("ce_subject", key),
            ("ce_partitionkey", key),
            ("ce_sequence", b"%0*d" % (SEQUENCE_DIGITS, seq)),
            ("ce_writerepoch", b"%d" % self._writer.epoch),
        ]
