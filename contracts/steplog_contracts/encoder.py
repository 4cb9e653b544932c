"""The writing half of the codec for one execution: what never changes is encoded once."""

from steplog_contracts.envelope import (
    CONTENT_TYPE_JSON,
    SEQUENCE_DIGITS,
    SPEC_VERSION,
    Headers,
    Record,
    event_id,
    execution_namespace,
)
from steplog_contracts.events import EVENT_CLASSES, Event
from steplog_contracts.payload import encode_payload

_TYPE_HEADERS = {cls: ("ce_type", cls.event_type.encode()) for cls in EVENT_CLASSES}
_SEQUENCE = b"%%0%dd" % SEQUENCE_DIGITS


class ExecutionEncoder:
    """Encodes the events of one execution under one epoch.

    `encode` is on the path of every step, so headers that stay the same are made here.
    """

    __slots__ = ("_fixed", "_key", "_namespace")

    def __init__(
        self,
        execution_id: str,
        *,
        source: str,
        correlation_id: str | None = None,
        writer_epoch: int | None = None,
    ) -> None:
        self._key = execution_id.encode()
        self._namespace = execution_namespace(execution_id)
        self._fixed: Headers = [
            ("ce_specversion", SPEC_VERSION),
            ("content-type", CONTENT_TYPE_JSON),
            ("ce_source", source.encode()),
            ("ce_subject", self._key),
            ("ce_partitionkey", self._key),
        ]
        if correlation_id is not None:
            self._fixed.append(("ce_correlationid", correlation_id.encode()))
        if writer_epoch is not None:
            self._fixed.append(("ce_writerepoch", b"%d" % writer_epoch))

    def encode(
        self,
        event: Event,
        *,
        seq: int,
        time: bytes,
        causation_id: str | None = None,
        command_offset: int | None = None,
        event_id_text: str | None = None,
        traceparent: str | None = None,
    ) -> Record:
        """Return the record; `time` is `format_time(...)` in bytes.

        `event_id_text` replaces uuid5(execution, seq) for events outside a history (seq 0).

        Raises:
            UnwritablePayload: a user's value inside it has no JSON form.
        """
        identity = event_id_text or event_id(self._namespace, seq)
        headers = [
            *self._fixed,
            ("ce_id", identity.encode()),
            _TYPE_HEADERS[type(event)],
            ("ce_time", time),
            ("ce_sequence", _SEQUENCE % seq),
        ]
        if causation_id is not None:
            headers.append(("ce_causationid", causation_id.encode()))
        if command_offset is not None:
            headers.append(("ce_commandoffset", b"%d" % command_offset))
        if traceparent is not None:
            headers.append(("traceparent", traceparent.encode()))
        return Record(self._key, encode_payload(event), headers)
