"""One execution alone where the broker flushes every batch to the disk before it acknowledges it.

For who runs a single broker and trusts no page cache: `flush.messages=1` on the events topic.
"""

import time
from dataclasses import replace

from aiokafka import AIOKafkaProducer

from steplog_contracts.topics import Topics
from tests.benchmarks.figures import percentile
from tests.benchmarks.load import Watcher, a_command, send_all
from tests.services import Services, create_topics

WARM_UP = 100


def flushing(topics: Topics) -> Topics:
    """Return the topics with an events topic that is flushed batch by batch."""
    config = {**topics.events.config, "flush.messages": "1"}
    return replace(topics, events=replace(topics.events, config=config))


async def alone_flushed(services: Services, count: int) -> dict[str, float]:
    """Return how long one execution takes from its command to its recorded end, at the median."""
    topics = flushing(services.topics)
    await create_topics(services.bootstrap_servers, topics)
    services.start_executor()
    services.wait_ready()
    took = []
    async with (
        AIOKafkaProducer(bootstrap_servers=services.bootstrap_servers) as producer,
        Watcher(services.bootstrap_servers, topics, range(topics.events.partitions)) as watcher,
    ):
        for _ in range(WARM_UP + count):
            execution_id, record = a_command()
            sent = time.time()
            await send_all(producer, topics, [record])
            took.append(await watcher.wait_for(execution_id) - sent)
    return {"p50_alone_flushed_ms": percentile(took[WARM_UP:], 0.5) * 1000}
