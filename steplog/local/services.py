"""The executor, the tracker worker and the API as children: how each is started and asked."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from steplog.errors import ServerNotStarted
from steplog.local.child import INHERITED_UMASK, PRIVATE_UMASK, Child, Program
from steplog.local.data_folder import DataFolder
from steplog_contracts.private_files import open_private

READY_REQUEST_TIMEOUT_S = 2.0
MIGRATE_TIMEOUT_S = 60.0
SERVICE_STOP_TIMEOUT_S = 20.0
# Never by a proxy: the API is on this machine.
_HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What the services are told; they find the rest in the environment they inherit."""

    kafka_bootstrap_servers: str
    database_url: str
    topic_namespace: str
    partitions: int
    api_host: str
    api_port: int
    payload_store: str

    @property
    def api_url(self) -> str:
        """Return where the API answers."""
        return f"http://{self.api_host}:{self.api_port}"

    def environment(self, folder: DataFolder) -> dict[str, str]:
        """Return the settings as the services' variables."""
        return {
            "STEPLOG_KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap_servers,
            "STEPLOG_DATABASE_URL": self.database_url,
            "STEPLOG_TOPIC_NAMESPACE": self.topic_namespace,
            "STEPLOG_PARTITIONS": str(self.partitions),
            "STEPLOG_API_HOST": self.api_host,
            "STEPLOG_API_PORT": str(self.api_port),
            "STEPLOG_PAYLOAD_STORE": self.payload_store,
            "STEPLOG_READY_FILE": str(_ready_file(folder)),
            "STEPLOG_TRACKER_DATA_FOLDER": str(folder.root / "tracker"),
        }


@dataclass(frozen=True, slots=True)
class Service:
    """One of our processes as the supervisor sees it."""

    name: str
    program: Program
    ready: Callable[[], bool]
    address: str = ""
    kind: str = "service"

    def start(self) -> Child:
        """Start the process and return at once."""
        return Child.start(self.program)

    def is_ready(self) -> bool:
        """Whether it does its work."""
        return self.ready()


def services(settings: ServiceSettings, folder: DataFolder) -> tuple[Service, ...]:
    """Return the services, in the order people think of them."""
    environment = settings.environment(folder)
    api_url, ready_file = settings.api_url, _ready_file(folder)
    ready_file.unlink(missing_ok=True)

    def program(name: str, *arguments: str) -> Program:
        return Program(
            name=name,
            argv=(sys.executable, "-m", *arguments),
            log_path=folder.log_of(name),
            env=environment,
            umask=INHERITED_UMASK if name == "executor" else PRIVATE_UMASK,
            stop_timeout_s=SERVICE_STOP_TIMEOUT_S,
        )

    return (
        Service("executor", program("executor", "executor_service"), ready_file.exists),
        Service(
            "tracker",
            program("tracker", "tracker_service", "worker"),
            lambda: tracker_keeps_up(api_url),
        ),
        Service(
            "api",
            program("api", "tracker_service", "api"),
            lambda: _answer(f"{api_url}/readyz") is not None,
            address=api_url,
        ),
    )


def migrate(settings: ServiceSettings, folder: DataFolder) -> None:
    """Bring the read model's tables up to date before anything asks them.

    Raises:
        ServerNotStarted: the database refuses; the text is the tracker's own.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tracker_service", "migrate"],
        env={**os.environ, **settings.environment(folder)},
        capture_output=True,
        timeout=MIGRATE_TIMEOUT_S,
        check=False,
    )
    with open_private(folder.log_of("migrate")) as log:
        log.write(done.stderr)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise ServerNotStarted(
            f"The tables can't be made ready: {said[-1]} The log is {folder.log_of('migrate')}."
        )


def tracker_keeps_up(api_url: str) -> bool:
    """Whether a worker looks at the log and has applied all it saw."""
    answer = _answer(f"{api_url}/readyz")
    return answer is not None and answer.get("tracker") == "fresh"


def _answer(url: str) -> Mapping[str, object] | None:
    try:
        with _HTTP.open(url, timeout=READY_REQUEST_TIMEOUT_S) as response:
            return json.loads(response.read())  # type: ignore[no-any-return]
    except (urllib.error.URLError, OSError, ValueError):
        return None


def _ready_file(folder: DataFolder) -> Path:
    return folder.run / "executor.ready"
