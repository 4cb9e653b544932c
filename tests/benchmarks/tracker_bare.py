"""The bare loop the tracker is measured against: getmany and the same fold and SQL, no Faust.

    python -m tests.benchmarks.tracker_bare

One process, no group, all partitions; each fetch is applied partition by partition side by side.
"""

import asyncio
import gc

from aiokafka import AIOKafkaConsumer, TopicPartition

from steplog_kafka.process_logs import configure_logs
from tracker_service.bootstrap import make_store, prepare
from tracker_service.projector.projector import Projector
from tracker_service.projector.store_retry import Pacing
from tracker_service.settings import read_settings

POLL_MS = 200


async def main() -> None:
    """Apply everything, for ever."""
    settings = read_settings()
    configure_logs(settings.log_level)
    store = make_store(settings)
    await prepare(settings, store)
    projector = Projector(store, settings.events_topic, Pacing(lambda: False))
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, enable_auto_commit=False
    )
    await consumer.start()
    known = await store.known_partitions(settings.events_topic)
    positions = await projector.start_positions(range(known))
    consumer.assign([TopicPartition(settings.events_topic, number) for number in positions])
    for number, offset in positions.items():
        consumer.seek(TopicPartition(settings.events_topic, number), offset)
    gc.freeze()
    gc.disable()
    most = settings.tracker_batch_max_records * known
    while True:
        fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=most)
        await asyncio.gather(
            *(_apply(projector, tp.partition, run, settings) for tp, run in fetched.items())
        )


async def _apply(projector: Projector, partition: int, run: list, settings) -> None:  # type: ignore[no-untyped-def,type-arg]
    size = settings.tracker_batch_max_records
    for start in range(0, len(run), size):
        await projector.apply(partition, run[start : start + size])


if __name__ == "__main__":
    asyncio.run(main())
