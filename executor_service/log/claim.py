"""Taking a partition: the claim itself. Its offset is the epoch of whoever appended it."""

from executor_service.errors import RecordingLost
from executor_service.ports.event_log import EventLog
from executor_service.writer_identity import WriterIdentity
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import NO_SEQ, Record, format_time
from steplog_contracts.events import PartitionClaimed


async def claim(log: EventLog, partition: int, identity: WriterIdentity) -> tuple[int, Record]:
    """Append a claim and return its epoch, and the claim itself.

    Raises:
        RecordingLost: the broker does not know where the claim went; claim again.
    """
    claim_id = identity.new_id()
    # A key of its own for each claim: compaction of the parked topic must keep them all.
    encoder = ExecutionEncoder(f"partition/{partition}/{claim_id}", source=identity.source)
    record = encoder.encode(
        PartitionClaimed(partition=partition, owner=identity.instance),
        seq=NO_SEQ,
        time=format_time(identity.clock.now()).encode(),
        event_id_text=claim_id,
    )
    appended = await log.append(partition, [record])
    if appended.base_offset is None:
        raise RecordingLost(f"The claim of partition {partition} has no known offset.")
    return appended.base_offset, record
