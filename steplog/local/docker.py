"""Broker and database in containers, where a Docker engine of this machine answers.

The containers' ports are published on the loopback address alone, and their data stays in volumes
named after the data folder. testcontainers' reaper removes the containers if we are killed hard.
"""

import hashlib
import os
import secrets
import socket
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from steplog.errors import ServerNotStarted
from steplog.local.health_checks import kafka_answers, postgres_answers
from steplog.local.kafka_jars import KAFKA_VERSION
from steplog.local.kafka_properties import broker_settings
from steplog.local.ports import LOOPBACK, free_ports
from steplog.local.postgres_programs import POSTGRES_MAJOR_VERSION
from steplog_contracts.private_files import private_folder, write_private
from steplog_kafka.settings import local_kafka

ENGINE_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 15
KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
POSTGRES_IMAGE = f"postgres:{POSTGRES_MAJOR_VERSION}"
_KAFKA_PORT, _CONTROLLER_PORT, _POSTGRES_PORT = 9092, 9093, 5432
_EXITED = "exited"
_UNIX = "unix://"
DEFAULT_ENGINE = f"{_UNIX}/var/run/docker.sock"


def engine_answers() -> bool:
    """Whether a Docker engine of this machine answers and testcontainers is installed.

    A remote engine is none: it would publish its ports on another machine.
    """
    host = os.environ.get("DOCKER_HOST", DEFAULT_ENGINE)
    if not host.startswith(_UNIX) or find_spec("testcontainers") is None:
        return False
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ENGINE_TIMEOUT_S)
        try:
            connection.connect(host.removeprefix(_UNIX))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200" in connection.recv(64)
        except OSError:
            return False


class RunningContainer:
    """A started container."""

    pid: int | None = None

    def __init__(self, container: Any) -> None:
        self._container = container
        self._wrapped = container.get_wrapped_container()
        self._removed = False

    @property
    def exit_code(self) -> int | None:
        """Return None while it runs."""
        if self._removed:
            return 0
        self._wrapped.reload()
        ended = self._wrapped.status == _EXITED
        return int(self._wrapped.attrs["State"]["ExitCode"]) if ended else None

    @property
    def log(self) -> str:
        """Return the command that shows its log."""
        return f"`docker logs {self._wrapped.short_id}`"

    @property
    def last_words(self) -> str:
        """Return the last line of its log."""
        return str(self._wrapped.logs(tail=1).decode(errors="replace").strip())

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self.exit_code is None:
            self._wrapped.kill(signal="SIGTERM")

    def stop(self) -> None:
        """Stop and remove the container; its volume stays."""
        if not self._removed:
            self._wrapped.stop(timeout=STOP_TIMEOUT_S)
            self._container.stop(delete_volume=False)
            self._removed = True


class KafkaContainer:
    """A broker in a container."""

    name = "kafka"
    kind = "docker"

    def __init__(self, folder: Path) -> None:
        self._volume = _volume_of(folder)
        self._port = free_ports(1)[0]

    @property
    def address(self) -> str:
        """Return the bootstrap address."""
        return f"{LOOPBACK}:{self._port}"

    def start(self) -> RunningContainer:
        """Pull the image if it is new and start the container."""
        settings = broker_settings(
            listeners=f"PLAINTEXT://:{_KAFKA_PORT},CONTROLLER://:{_CONTROLLER_PORT}",
            advertised=f"PLAINTEXT://{self.address}",
            voters=f"1@localhost:{_CONTROLLER_PORT}",
            log_dirs="/var/lib/kafka/data",
        )
        # Source: the image's documentation: KAFKA_ and the setting's name, dots as underscores.
        env = {f"KAFKA_{name.replace('.', '_').upper()}": value for name, value in settings.items()}
        published = {_KAFKA_PORT: self._port}
        return _start(KAFKA_IMAGE, env, published, {self._volume: "/var/lib/kafka/data"})

    def is_ready(self) -> bool:
        """Whether a metadata request is answered."""
        return kafka_answers(local_kafka(self.address))


class PostgresContainer:
    """A database server in a container."""

    name = "postgres"
    kind = "docker"

    def __init__(self, folder: Path, database: str = "postgres") -> None:
        self._volume = _volume_of(folder)
        self._database = database
        self._password = _kept_password(folder)
        self._port = free_ports(1)[0]

    @property
    def address(self) -> str:
        """Return the URL of the database."""
        return f"postgresql://postgres:{self._password}@{LOOPBACK}:{self._port}/{self._database}"

    def start(self) -> RunningContainer:
        """Pull the image if it is new and start the container."""
        env = {"POSTGRES_PASSWORD": self._password, "POSTGRES_DB": self._database}
        published = {_POSTGRES_PORT: self._port}
        return _start(POSTGRES_IMAGE, env, published, {self._volume: "/var/lib/postgresql"})

    def is_ready(self) -> bool:
        """Whether it answers; while it makes its files the image listens on no port."""
        return postgres_answers(self.address)


def _start(
    image: str, env: Mapping[str, str], ports: Mapping[int, int], volumes: Mapping[str, str]
) -> RunningContainer:
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415

    container = DockerContainer(image).with_envs(**env)
    # with_bind_ports publishes on all addresses; the engine's own form names one.
    published: Any = container.ports
    published.update({inside: (LOOPBACK, outside) for inside, outside in ports.items()})
    for name, path in volumes.items():
        container.with_volume_mapping(name, path, mode="rw")
    try:
        return RunningContainer(container.start())
    except Exception as error:
        raise ServerNotStarted(
            f"Docker can't run {image} ({error}); set DOCKER_HOST to nothing that answers "
            "to use the local servers instead."
        ) from error


def _volume_of(folder: Path) -> str:
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return f"steplog-{folder.name}-{digest}"


def _kept_password(folder: Path) -> str:
    """Return the password the volume was made with, new ones for new folders."""
    path = folder / "password"
    if not path.exists():
        private_folder(folder)
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text()
