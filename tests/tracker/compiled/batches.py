"""Record batches as a broker keeps them."""

from collections.abc import Iterable

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from steplog_contracts.envelope import Headers

Parts = tuple[bytes | None, bytes | None, Headers]  # Key, value, headers.
TIMESTAMP_MS = 1_700_000_000_000


def batch_of(records: Iterable[Parts], *, base_offset: int = 0, compression: int = 0) -> bytes:
    """Return one batch; `compression` as Kafka numbers it."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=compression,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 30,
    )
    for number, (key, value, headers) in enumerate(records):
        builder.append(number, TIMESTAMP_MS + number, key, value, list(headers))
    # What the checksum covers begins behind the offset, which the broker writes.
    return base_offset.to_bytes(8) + bytes(builder.build())[8:]
