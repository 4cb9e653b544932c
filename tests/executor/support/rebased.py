"""Events as an importer writes them: under its own claim, without another cluster's offsets."""

from collections.abc import Iterable

from executor_service.ports.event_log import LoggedRecord
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import Record
from steplog_contracts.events import PartitionClaimed

_TIME = b"2026-01-01T00:00:00.000000+00:00"
_CLAIM = ("ce_type", PartitionClaimed.event_type.encode())


def rebased(logged: Iterable[LoggedRecord], *, epoch: int) -> list[Record]:
    """Return a claim and the events of a log, to land from offset `epoch` on."""
    encoder = ExecutionEncoder("partition-0", source="/import")
    claim = encoder.encode(PartitionClaimed(partition=0, owner="import"), seq=0, time=_TIME)
    return [claim, *(_event(one, epoch) for one in logged if _CLAIM not in one.headers)]


def _event(logged: LoggedRecord, epoch: int) -> Record:
    kept = [
        (name, value)
        for name, value in logged.headers
        if name not in {"ce_writerepoch", "ce_commandoffset"}
    ]
    subject = dict(logged.headers)["ce_subject"]
    return Record(subject, logged.value, [*kept, ("ce_writerepoch", b"%d" % epoch)])
