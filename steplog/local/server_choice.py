"""Which broker and which database: a given address, else a Docker engine, else a child of ours."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from steplog.errors import BadInput
from steplog.local.docker import KafkaContainer, PostgresContainer, engine_answers
from steplog.local.external_server import GivenServer
from steplog.local.health_checks import kafka_answers, postgres_answers
from steplog.local.kafka import KafkaServer
from steplog.local.kafka_jars import OnBytes, ignore_bytes
from steplog.local.postgres import PostgresServer
from steplog.local.server import Server, start_server
from steplog_kafka.settings import kafka_settings

KAFKA_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
POSTGRES_VARIABLE = "DATABASE_URL"


def choose_kafka(
    folder: Path,
    environment: Mapping[str, str] = os.environ,
    on_bytes: OnBytes = ignore_bytes,
) -> Server:
    """Return the broker to use; `folder` is for the files of one of our own."""
    given = _given(environment, KAFKA_VARIABLE)
    if given is not None:
        return GivenServer("kafka", "Kafka", given, KAFKA_VARIABLE, kafka_answers)
    if engine_answers():
        return KafkaContainer(folder)
    return KafkaServer(folder, on_bytes=on_bytes)


def choose_postgres(
    folder: Path, environment: Mapping[str, str] = os.environ, database: str = "postgres"
) -> Server:
    """Return the database server to use; `folder` is for the files of one of our own."""
    given = _given(environment, POSTGRES_VARIABLE)
    if given is not None:
        return GivenServer("postgres", "PostgreSQL", given, POSTGRES_VARIABLE, postgres_answers)
    if engine_answers():
        return PostgresContainer(folder, database)
    return PostgresServer(folder, database)


def refuse_security_of_another() -> None:
    """Refuse settings that secure a connection where a broker is started here, which is plain.

    Raises:
        BadInput: there are such settings.
    """
    if kafka_settings().security_protocol != "PLAINTEXT":
        raise BadInput(
            "STEPLOG_KAFKA_SECURITY_PROTOCOL is set and a broker started here is plain; name the "
            f"broker it is for with {KAFKA_VARIABLE}, or unset it."
        )


@contextmanager
def running(server: Server) -> Iterator[str]:
    """Run a server within the block, which gets its address."""
    started = start_server(server)
    try:
        yield server.address
    finally:
        started.stop()


def _given(environment: Mapping[str, str], variable: str) -> str | None:
    return environment.get(variable) or environment.get(f"STEPLOG_{variable}") or None
