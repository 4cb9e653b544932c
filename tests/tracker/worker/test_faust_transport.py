"""What the transport takes for granted of Faust and of the Kafka client."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from steplog_contracts.envelope import Record
from tests.tracker.compiled.batches import batch_of
from tests.tracker.histories import History
from tracker_service.log.batch_decoder import RecordsAsRead
from tracker_service.projections.record_header import Heading, read_heading
from tracker_service.worker.faust_transport import Batch, batches


def fetched(records: list[Record], kind: type) -> list[Any]:
    """Return records as the client hands them over, by its own way or by ours."""
    batch = MemoryRecords(batch_of(tuple(record) for record in records))
    partition = TopicPartition("t", 0)
    return list(kind(partition, batch, [], 0, None, None, True, 0))


@pytest.mark.parametrize("name", ["_getmany", "_to_message", "_add_gap", "_new_offset"])
def test_faust_still_has_what_the_transport_replaces(name: str) -> None:
    assert callable(getattr(FaustConsumer, name))
    assert callable(AIOKafkaConsumerThread._commit)


def test_records_as_read_say_what_the_clients_copies_say() -> None:
    records = [*History().whole(steps=2), Record(None, None, [])]

    ours, copies = fetched(records, RecordsAsRead), fetched(records, PartitionRecords)

    names = ("offset", "key", "value", "timestamp", "timestamp_type")
    for record, copy in zip(ours, copies, strict=True):
        assert [getattr(record, n) for n in names] == [getattr(copy, n) for n in names]
        assert tuple(record.headers) == copy.headers
    assert len(ours) == len(records)


def test_headings_are_read_from_records_as_read() -> None:
    record = fetched(History("e-7").whole(), RecordsAsRead)[0]

    heading = read_heading(record)

    assert isinstance(heading, Heading)
    assert (heading.execution_id, heading.seq, heading.offset) == ("e-7", 1, 0)


def test_a_run_is_cut_into_batches_that_end_at_their_last_record() -> None:
    run = [SimpleNamespace(offset=offset) for offset in range(10, 15)]

    made = list(batches(3, run, 20, max_records=2))  # type: ignore[arg-type]

    assert [len(batch.records) for batch in made] == [2, 2, 1]
    assert [batch.offset for batch in made] == [11, 13, 14]
    assert made[0] == Batch(3, run[:2], 20)  # type: ignore[arg-type]
