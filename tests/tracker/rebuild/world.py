"""A log on a real broker, live rows made from it in this process, and rebuilds of them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from steplog_contracts.envelope import Record
from steplog_contracts.topics import Topics
from tests.tracker.histories import History, interleaved
from tracker_service.projector.projector import Projector
from tracker_service.projector.store_retry import Pacing
from tracker_service.rebuild.log_reader import Span, span_reader
from tracker_service.rebuild.rebuild import Rebuild
from tracker_service.rebuild.request import RebuildRequest, Report, Watcher
from tracker_service.store.postgres.shadow.schema import TABLE_NAMES
from tracker_service.store.postgres.store import PostgresStore

Rows = dict[str, list[str]]


@dataclass
class World:
    """One topic and one database."""

    bootstrap_servers: str
    url: str
    topics: Topics
    ends: dict[int, int] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        """The events topic."""
        return self.topics.events.name

    async def append(self, partition: int, records: Iterable[Record]) -> None:
        """Append records to a partition, in order."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap_servers, acks="all")
        await producer.start()
        try:
            sent = [
                await producer.send(
                    self.topic, r.value, key=r.key, headers=r.headers, partition=partition
                )
                for r in records
            ]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()
        self.ends[partition] = self.ends.get(partition, 0) + len(sent)

    async def append_executions(self, count: int, steps: int = 2) -> None:
        """Append whole executions, side by side, and one in each partition that goes on."""
        for partition in range(self.topics.events.partitions):
            names = [f"e-{partition}-{n}" for n in range(count)]
            histories = [History(name).whole(steps) for name in names]
            open_one = History(f"open-{partition}")
            histories.append([open_one.started(total_steps=3), *open_one.step("a")])
            await self.append(partition, interleaved(histories))

    async def project(self) -> None:
        """Bring the live rows up to the end of the log."""
        store = PostgresStore(self.url, max_connections=4)
        await store.open()
        projector = Projector(store, self.topic, Pacing(lambda: True))
        try:
            async with span_reader(self.bootstrap_servers) as reader:
                for partition in range(self.topics.events.partitions):
                    known = await projector.start_positions([partition])
                    end = self.ends.get(partition, 0)
                    span = Span(self.topic, partition, known[partition], end)
                    async for run in reader.runs(span, max_records=7):
                        await projector.apply(partition, run)
        finally:
            await store.close()

    def order(self, **options: Any) -> RebuildRequest:
        """Return an order for these rows."""
        return RebuildRequest(self.bootstrap_servers, self.url, self.topic, **options)

    def servers(self) -> dict[str, str]:
        """Return the variables by which commands find this world."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "DATABASE_URL": self.url,
            "STEPLOG_TOPIC_NAMESPACE": self.topic.removesuffix(".events"),
        }

    async def rebuild(self, watcher: Watcher | None = None, **options: Any) -> Report:
        """Rebuild."""
        return await Rebuild(self.order(**options), watcher).run()

    async def rows(self, schema: str = "public") -> Rows:
        """Return every row of every table as text, in order."""
        return {
            name: [row[0] for row in await self.fetch(_ROWS.format(schema=schema, name=name))]
            for name in TABLE_NAMES
        }

    async def fetch(self, query: str, *values: Any) -> Sequence[Any]:
        """Ask the database."""
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()

    async def schemas(self) -> list[str]:
        """Return the names of schemas that rebuilds made."""
        rows = await self.fetch(
            "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'steplog_') ORDER BY 1"
        )
        return [row[0] for row in rows]

    async def tamper(self) -> Mapping[str, str]:
        """Change one row, remove one and add one behind the tracker's back; name them."""
        await self.fetch(
            "UPDATE pipeline_executions SET completed_steps = 99, output_data = '{\"forged\": 1}' "
            "WHERE execution_id = 'e-0-0'"
        )
        await self.fetch("DELETE FROM step_executions WHERE execution_id = 'e-1-1'")
        await self.fetch(
            "INSERT INTO execution_status_changes VALUES ('e-2-2', 77, 'paused', now())"
        )
        return {"changed": "e-0-0", "only_in_log": "e-1-1", "only_in_rows": "e-2-2"}


_ROWS = 'SELECT t::text FROM "{schema}".{name} AS t ORDER BY 1'
