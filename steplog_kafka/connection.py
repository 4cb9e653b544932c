"""Start a client, or say in one sentence why it can't be: within bounds of time, secrets left out.

aiokafka tries each address and in the end only says that none would do, so after a failure the
first address is asked again, step by step: `diagnosis`.
"""

import asyncio
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import AuthenticationFailedError, KafkaError

from steplog_kafka.diagnosis import diagnose
from steplog_kafka.errors import KafkaProblem, KafkaUnreachable
from steplog_kafka.rights import missing_right
from steplog_kafka.settings import Kafka, kafka_settings


class Startable(Protocol):
    """A producer or a consumer."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Close what was opened."""


async def start(client: Startable | AIOKafkaAdminClient | AIOKafkaClient, kafka: Kafka) -> None:
    """Connect a client; one that can't be connected is closed.

    Raises:
        KafkaUnreachable: no broker answers.
        KafkaRefused: a broker refuses the secret, the certificate, or a right is missing.
    """
    try:
        if isinstance(client, AIOKafkaClient):
            await client.bootstrap()
        else:
            await client.start()
        _check_known(client)
    except (KafkaError, OSError, ValueError, KafkaProblem) as error:
        await close(client)
        # aiokafka closes what failed in the loop's next turn.
        await asyncio.sleep(0)
        raise await problem_of(error, kafka) from error
    except BaseException:
        await close(client)
        raise


def _check_known(client: Any) -> None:
    """Refuse a start after which no broker is known.

    A broker answers a bad token with a text; aiokafka takes it for consent, and what the broker
    answers to the next request for a list of no brokers.
    """
    match client:
        case AIOKafkaClient():
            bare = client
        case AIOKafkaProducer():
            bare = client.client
        case _:
            bare = client._client
    if not bare.cluster.brokers():
        raise AuthenticationFailedError


async def close(client: Startable | AIOKafkaAdminClient | AIOKafkaClient) -> None:
    """Close a client of any kind."""
    # Stopped before its tasks ever ran, aiokafka lets their CancelledError out.
    await asyncio.sleep(0)
    if isinstance(client, AIOKafkaAdminClient | AIOKafkaClient):
        await client.close()
    else:
        await client.stop()


async def problem_of(error: Exception, kafka: Kafka) -> KafkaProblem:
    """Return why a client failed as an error of ours, asking the broker where that is not clear."""
    if isinstance(error, KafkaProblem):
        return error
    if found := missing_right(error, kafka):
        return found
    settings = kafka_settings(kafka)
    return await diagnose(settings) or KafkaUnreachable(
        f"Kafka at {settings.bootstrap_servers} answers and still this failed "
        f"({str(error) or type(error).__name__}); try again, and look at the brokers if it stays."
    )
