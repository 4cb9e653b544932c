"""What each part of the tracker's work costs by itself, per event, in this process."""

import time
from collections.abc import Callable
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from steplog_contracts.epoch import EpochRule
from tracker_service.projections.batch_fold import BatchFold, States
from tracker_service.projections.payload_decoder import read_payload
from tracker_service.projections.record_header import Heading, read_heading
from tracker_service.store.sql.columns import Table
from tracker_service.store.sql.tables import EXECUTIONS, VISITS, execution_rows, visit_rows

BATCH = 1000
_MICRO = 1e6


async def parts(bootstrap_servers: str, topic: str, events: int) -> dict[str, float]:
    """Return CPU microseconds per event for consuming, parsing and folding a whole partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
    await consumer.start()
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    records: list[Any] = []
    began_s = time.process_time()
    while len(records) < events:
        for run in (await consumer.getmany(timeout_ms=1000)).values():
            records += run
    consumed_us = (time.process_time() - began_s) / len(records) * _MICRO
    await consumer.stop()
    return {"cpu_us_per_event_consume": consumed_us, **_parse_and_fold(records)}


def _parse_and_fold(records: list[Any]) -> dict[str, float]:
    headings: list[Any] = []
    heading_us = _cost(len(records), lambda: headings.extend(map(read_heading, records)))
    readable = [heading for heading in headings if isinstance(heading, Heading)]
    payload_us = _cost(len(records), lambda: [read_payload(heading) for heading in readable])
    fold_us = _cost(len(records), lambda: _fold(headings))
    return {
        "cpu_us_per_event_parse": heading_us + payload_us,
        "cpu_us_per_event_fold": fold_us - payload_us,
    }


def _fold(headings: list[Any]) -> None:
    states: States = {}
    for start in range(0, len(headings), BATCH):
        fold = BatchFold(0, states, set(), EpochRule())
        changes = fold.take_all(headings[start : start + BATCH])
        execution_rows(changes)
        visit_rows(changes)
        changes.written()
        for execution_id, state in changes.executions.items():
            if state.ended:
                states.pop(execution_id, None)


def _cost(events: int, work: Callable[[], Any]) -> float:
    began_s = time.process_time()
    work()
    return (time.process_time() - began_s) / events * _MICRO


async def copy_seconds(url: str) -> float:
    """Return how long a bare COPY of the same rows into tables without indexes takes."""
    connection = await asyncpg.connect(url)
    total_s = 0.0
    try:
        for table in (EXECUTIONS, VISITS):
            total_s += await _copy_table(connection, table)
    finally:
        await connection.close()
    return total_s


async def _copy_table(connection: asyncpg.Connection, table: Table[Any]) -> float:
    names = ", ".join(table.names)
    rows = await connection.fetch(f"SELECT {names} FROM {table.name}")
    await connection.execute(
        f"CREATE TABLE bare_copy AS SELECT {names} FROM {table.name} WITH NO DATA"
    )
    began_s = time.monotonic()
    await connection.copy_records_to_table("bare_copy", records=rows, columns=table.names)
    took_s = time.monotonic() - began_s
    await connection.execute("DROP TABLE bare_copy")
    return took_s
