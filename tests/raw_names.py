"""Records whose header names are any bytes, as brokers take them and aiokafka writes none."""

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from steplog_contracts.envelope import Record

_CRC_AT, _ATTRIBUTES_AT = 17, 21
PLACEHOLDER = "placeholder-for-a-name"
# As long as what it stands for.
RAW_NAME = b"\xff\xfe\x00\xc3\x28".ljust(len(PLACEHOLDER), b"\xed")


def with_raw_names(data: bytes) -> bytes:
    """Return a record batch with the raw name wherever the placeholder is one."""
    raw = bytearray(data.replace(PLACEHOLDER.encode(), RAW_NAME))
    raw[_CRC_AT:_ATTRIBUTES_AT] = calc_crc32c(bytes(raw[_ATTRIBUTES_AT:])).to_bytes(4)
    return bytes(raw)


async def send_raw(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Record]
) -> None:
    """Append records in one batch, with raw names in place of placeholders."""
    batch: Any = producer.create_batch()
    for record in records:
        batch.append(key=record.key, value=record.value, timestamp=None, headers=record.headers)
    batch.close()
    batch._buffer = bytearray(with_raw_names(bytes(batch._build())))
    await (await producer.send_batch(batch, topic, partition=partition))
