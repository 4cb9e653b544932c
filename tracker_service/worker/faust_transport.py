"""Faust fed with whole fetched batches instead of single records.

Faust spends about 100 us on handing over one message, whatever it is; so one message here is a run
of consecutive records of one partition. It also begins where the read model says, not where Kafka's
committed offsets say. The hooks are underscore methods of faust-streaming 0.15 (pyproject.toml pins
it, tests/tracker/worker/test_faust_transport.py and the broker tests hold them):
`_create_worker_consumer`, `_getmany`, `_to_message`, `_add_gap`, `_new_offset`, `_commit`.
Consequences: values are `Batch`es, so models, codecs, tables and per-event sensors don't apply, and
`concurrency` must stay 1 so that acks come in order.
"""

import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import structlog
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from steplog_kafka.clients import make_consumer
from steplog_kafka.settings import KafkaSettings
from tracker_service.log.batch_decoder import read_batches
from tracker_service.projections.record_header import LogRecord
from tracker_service.worker.fetch_pace import FetchPace
from tracker_service.worker.membership import KeepingListener, KeepingSubscription, StickyAssignor

log = structlog.get_logger(__name__)
# Faust's services log under the module of their class; these are Faust's lines, not ours.
_logger = logging.getLogger("faust.transport.drivers.aiokafka")

# Batches of one partition on their way: one being written, one to go on with.
MAX_HANDED_OVER = 2
BUSY_POLL_S = 0.005
FETCH_MAX_WAIT_MS = 1_500
# Beyond the time that joining the group may take.
JOIN_MARGIN_S = 5.0

StartPositions = Callable[[Sequence[int]], Awaitable[Mapping[int, int]]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition; `end_offset` is the partition's end when fetched."""

    partition: int
    records: Sequence[LogRecord]
    end_offset: int | None

    @property
    def offset(self) -> int:
        """The last record's offset: what Faust takes for the offset of this message."""
        return self.records[-1].offset

    @property
    def left(self) -> int:
        """Records known to come after it."""
        return 0 if self.end_offset is None else max(0, self.end_offset - self.offset - 1)


def batches(
    partition: int, records: Sequence[LogRecord], end_offset: int | None, max_records: int
) -> Iterator[Batch]:
    """Cut a fetched run into batches of at most `max_records`."""
    for start in range(0, len(records), max_records):
        yield Batch(partition, records[start : start + max_records], end_offset)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Keeps partitions through rebalances, and commits offsets as a courtesy to lag tools.

    Failing at a commit is no reason to crash: the read model has the position.
    """

    logger = _logger

    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ARG002 - the hook's own
        """Return the member of the group: Faust's, with the connection of `steplog_kafka`."""
        conf, kafka = self.app.conf, cast(Consumer, self.consumer).kafka
        self._assignor = RoundRobinPartitionAssignor
        # Joining waits for the other members, so these requests may take as long as that.
        request_timeout_s = max(
            kafka.request_timeout_ms / 1000.0,
            conf.broker_rebalance_timeout + JOIN_MARGIN_S,
            conf.broker_session_timeout + JOIN_MARGIN_S,
        )
        consumer = make_consumer(
            kafka,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            partition_assignment_strategy=[self._assignor],
            auto_offset_reset=conf.consumer_auto_offset_reset,
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000.0),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            request_timeout_ms=int(request_timeout_s * 1000.0),
            check_crcs=conf.broker_check_crcs,
            session_timeout_ms=int(conf.broker_session_timeout * 1000.0),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000.0),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000.0),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
        )
        consumer._subscription = KeepingSubscription(loop=self.thread_loop)
        # The second is for the time in which workers of an earlier release are in the group.
        consumer._partition_assignment_strategy = [StickyAssignor(), self._assignor]
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        here = {tp: offset for tp, offset in offsets.items() if tp in self.assignment()}
        try:
            await self._ensure_consumer().commit(
                {driver.ensure_aiokafka_TP(tp): offset for tp, offset in here.items()}
            )
        except Exception as error:
            log.info("offsets not committed; the read model has the position", reason=str(error))
            return False
        return True


class Consumer(driver.Consumer):
    """Hands over batches and starts from the read model's positions."""

    logger = _logger
    RebalanceListener = KeepingListener
    start_positions: StartPositions
    max_records: int
    pace: FetchPace
    kafka: KafkaSettings
    held: Collection[int] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._handed_over: Counter[TP] = Counter()

    def applied(self, tp: TP) -> None:
        """Note that a batch of a partition is done with."""
        if self._handed_over[tp] > 0:
            self._handed_over[tp] -= 1

    @property
    def in_group(self) -> bool:
        """Whether this worker is a member of its group; a member may have no partitions."""
        listener: KeepingListener = self._thread._rebalance_listener
        return self._thread.started and listener.in_group

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 - the hook's own argument
    ) -> dict[TP, list[Batch]]:
        # A partition that is busy is left alone: its records gather in the client and come as one
        # larger batch, so batches grow with the load instead of waiting in line one by one.
        due = {tp for tp in active_partitions or () if tp.partition not in self.held}
        free = {tp for tp in due if self._handed_over[tp] < MAX_HANDED_OVER}
        if not free:
            await self.sleep(BUSY_POLL_S)
            return {}
        if wait_s := self.pace.wait_s():
            await self.sleep(wait_s)
        if len(free) < len(due):
            timeout = BUSY_POLL_S
        fetched = await super()._getmany(active_partitions=free, timeout=timeout)
        found = {
            tp: list(batches(tp.partition, records, self._end(tp), self.max_records))
            for tp, records in fetched.items()
            if records
        }
        for tp, made in found.items():
            self._handed_over[tp] += len(made)
        if found:
            brought = sum(len(batch.records) for made in found.values() for batch in made)
            self.pace.fetched(brought, sum(made[-1].left for made in found.values()))
        return found

    def _end(self, tp: TP) -> int | None:
        try:
            return cast(int | None, self.highwater(tp))
        except Exception:  # Taken away meanwhile; only freshness misses a number.
            return None

    def _to_message(self, tp: TP, record: Batch) -> Any:
        newest: Any = record.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            record.offset,
            newest.timestamp / 1000.0,
            newest.timestamp_type,
            None,
            None,
            cast(bytes, record),  # Raw serializers pass on whatever stands here.
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """The offsets inside a batch are no gaps."""

    def _new_offset(self, tp: TP) -> int | None:
        acked: list[int] = self._acked[tp]
        if not acked:
            return None
        newest = max(acked)
        self._acked_index[tp].difference_update(acked)
        acked.clear()
        return newest + 1

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek each assigned partition to its position in the read model."""
        assigned = list(self.assignment())
        if not assigned:
            return {}
        # Batches that were not begun are dropped by a rebalance and come again.
        self._handed_over.clear()
        found = await self.start_positions([tp.partition for tp in assigned])
        positions = {tp: found[tp.partition] for tp in assigned}
        await self._thread.seek_wait(positions)
        return positions


class Transport(driver.Transport):
    """Faust's aiokafka transport with the consumer above."""

    def __init__(
        self,
        app: Any,
        kafka: KafkaSettings,
        start_positions: StartPositions,
        max_records: int,
        held: Collection[int] = (),
    ) -> None:
        """Nothing is fetched of partitions that are `held`, as it stands when records are asked."""
        super().__init__(app.conf.broker_consumer, app)
        self._kafka = kafka
        read_batches()  # A worker has no other consumer.
        self._start_positions = start_positions
        self._max_records = max_records
        self._held = held

    def create_consumer(self, callback: Any, **options: Any) -> Consumer:
        """Return a consumer that knows where to start."""
        consumer = Consumer(self, callback=callback, loop=self.loop, **options)
        consumer.kafka = self._kafka
        consumer.start_positions = self._start_positions
        consumer.max_records = self._max_records
        consumer.held = self._held
        consumer.pace = FetchPace(time.monotonic, self._max_records)
        return consumer
