"""The two services as processes, on real servers, for end-to-end tests and benchmarks."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from steplog.local.child import Child, Program
from steplog_contracts.topics import Topics, topics_for

ROOT = Path(__file__).parent.parent
READY_TIMEOUT_S = 60.0
READY_POLL_S = 0.05


async def create_topics(bootstrap_servers: str, topics: Topics) -> None:
    """Create a namespace's topics on a broker of one node."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(
                    topic.name,
                    num_partitions=topic.partitions,
                    replication_factor=1,
                    topic_configs=dict(topic.config),
                )
                for topic in topics
            ]
        )
    finally:
        await admin.close()


@dataclass
class Services:
    """Starts executors and trackers of one namespace, and ends them."""

    bootstrap_servers: str
    database_url: str
    namespace: str
    folder: Path
    step_modules: str
    partitions: int = 8
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    running: dict[str, Child] = field(default_factory=dict)

    @property
    def topics(self) -> Topics:
        """Return the namespace's topics."""
        return topics_for(self.namespace, self.partitions)

    def start_executor(self, name: str = "executor", **environment: str) -> Child:
        """Start an executor; it may still be joining its group when this returns."""
        ready = self._ready_file(name)
        ready.unlink(missing_ok=True)
        own = {"STEPLOG_READY_FILE": str(ready), "STEPLOG_EXECUTOR_INSTANCE": name}
        return self._start(name, ("-m", "executor_service"), own | environment)

    def start_tracker(self, name: str = "tracker", **environment: str) -> Child:
        """Start a tracker worker."""
        return self._start(name, ("-m", "tracker_service", "worker"), environment)

    def start_api(self, port: int, name: str = "api", **environment: str) -> Child:
        """Start the tracker's API."""
        own = {"STEPLOG_API_PORT": str(port), **environment}
        return self._start(name, ("-m", "tracker_service", "api"), own)

    def wait_ready(self, name: str = "executor") -> None:
        """Return once an executor takes commands."""
        self._wait(lambda: self._ready_file(name).exists(), name)

    def stop(self, name: str) -> int | None:
        """Stop a process with SIGTERM and return its exit code."""
        child = self.running.pop(name)
        child.stop()
        return child.exit_code

    def stop_all(self) -> None:
        """Stop everything that runs."""
        for child in self.running.values():
            child.ask_to_stop()
        for name in list(self.running):
            self.stop(name)

    def _ready_file(self, name: str) -> Path:
        return self.folder / f"{name}.ready"

    def _wait(self, condition: Callable[[], bool], name: str) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not condition():
            child = self.running[name]
            if child.exit_code is not None or time.monotonic() > deadline:
                raise AssertionError(f"{name} is not ready:\n{child.log_tail()}")
            time.sleep(READY_POLL_S)

    def _start(self, name: str, arguments: tuple[str, ...], own: Mapping[str, str]) -> Child:
        environment = {
            "PYTHONPATH": str(ROOT),
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "DATABASE_URL": self.database_url,
            "STEPLOG_TOPIC_NAMESPACE": self.namespace,
            "STEPLOG_PARTITIONS": str(self.partitions),
            "STEPLOG_STEP_MODULES": self.step_modules,
            **self.extra_environment,
            **own,
        }
        log = self.folder / f"{name}.log"
        program = Program(name, (sys.executable, *arguments), log, env=environment)
        self.running[name] = child = Child.start(program)
        return child
