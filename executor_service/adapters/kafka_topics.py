"""What must be true of the topics before anything is written to them."""

import asyncio
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from executor_service.service_errors import LogUnreachable, WrongTopic
from steplog_contracts.topics import Topic

CONNECT_ATTEMPTS = 30
CONNECT_DELAY_S = 1.0


async def check_topics(bootstrap_servers: str, topics: Sequence[Topic]) -> None:
    """Return when every topic exists with its partition count.

    Raises:
        LogUnreachable: no broker answered in `CONNECT_ATTEMPTS` tries.
        WrongTopic: a topic is missing or has another partition count.
    """
    admin = await _connected(bootstrap_servers)
    try:
        described = await admin.describe_topics([topic.name for topic in topics])
    finally:
        await admin.close()
    counts = {d["topic"]: len(d["partitions"]) for d in described if d["error_code"] == 0}
    for topic in topics:
        found = counts.get(topic.name)
        if found is None:
            raise WrongTopic(
                f"Topic {topic.name} does not exist; create it with `steplog topics apply`."
            )
        if found != topic.partitions:
            raise WrongTopic(
                f"Topic {topic.name} has {found} partitions and {topic.partitions} are configured; "
                "the count never changes after creation: set STEPLOG_PARTITIONS to "
                f"{found} or use another STEPLOG_TOPIC_NAMESPACE."
            )


async def _connected(bootstrap_servers: str) -> AIOKafkaAdminClient:
    for attempt in range(1, CONNECT_ATTEMPTS + 1):
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
        try:
            await admin.start()
        except (KafkaError, OSError) as error:
            await admin.close()
            if attempt == CONNECT_ATTEMPTS:
                raise LogUnreachable(
                    f"Kafka does not answer at {bootstrap_servers}; start it or correct "
                    "KAFKA_BOOTSTRAP_SERVERS."
                ) from error
            await asyncio.sleep(CONNECT_DELAY_S)
        else:
            return admin
    raise AssertionError("unreachable: the last attempt returns or raises")
