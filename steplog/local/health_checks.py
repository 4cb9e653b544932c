"""Whether a server answers: one real request each, bounded in time."""

import asyncio
import logging
import socket
from urllib.parse import parse_qs, unquote, urlsplit

from aiokafka.errors import KafkaError

from steplog_kafka.clients import make_client
from steplog_kafka.settings import Kafka

KAFKA_REQUEST_TIMEOUT_MS = 3000
POSTGRES_TIMEOUT_S = 3.0
POSTGRES_PORT = 5432
# PostgreSQL's SSLRequest (protocol documentation, "Message Formats"): length 8, code 80877103. Any
# PostgreSQL answers it with one byte, whoever asks.
_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


def kafka_answers(kafka: Kafka) -> bool:
    """Whether a broker answers a metadata request within its time."""
    return asyncio.run(_metadata_arrives(kafka))


async def _metadata_arrives(kafka: Kafka) -> bool:
    # The caller says what a refused connection means; the client library need not.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    client = make_client(kafka, request_timeout_ms=KAFKA_REQUEST_TIMEOUT_MS)
    try:
        await client.bootstrap()
    except (KafkaError, OSError, ValueError):
        return False
    finally:
        await client.close()
    return True


def postgres_answers(url: str) -> bool:
    """Whether a PostgreSQL listens at the URL; who may log in there is not asked."""
    try:
        with _connection(url) as connection:
            connection.sendall(_SSL_REQUEST)
            return connection.recv(1) in {b"S", b"N"}
    except (OSError, ValueError):
        return False


def _connection(url: str) -> socket.socket:
    parts = urlsplit(url)
    host = parse_qs(parts.query).get("host", [""])[0] or unquote(parts.hostname or "localhost")
    port = parts.port or POSTGRES_PORT
    if not host.startswith("/"):
        return socket.create_connection((host, port), timeout=POSTGRES_TIMEOUT_S)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(POSTGRES_TIMEOUT_S)
    try:
        connection.connect(f"{host}/.s.PGSQL.{port}")
    except OSError:
        connection.close()
        raise
    return connection
