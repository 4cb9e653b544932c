"""The whole stack on this machine: servers first, topics and tables, then the services."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from steplog.admin.topics import apply_topics
from steplog.errors import ServerNotStarted
from steplog.local.data_folder import DataFolder
from steplog.local.interrupts import interrupts_ignored
from steplog.local.kafka_jars import DOWNLOAD_BYTES
from steplog.local.ports import free_ports, is_free
from steplog.local.server_choice import choose_kafka, choose_postgres, refuse_security_of_another
from steplog.local.services import ServiceSettings, migrate, services
from steplog.local.stack_state import ProcessState, StackState
from steplog.local.stale_processes import end_leftovers
from steplog.local.supervisor import Supervisor
from steplog.settings import DEFAULT_API_PORT, SteplogSettings

LOOK_INTERVAL_S = 0.2
TRIM_LOGS_INTERVAL_S = 60.0
DATABASE = "steplog"
_MEGABYTE = 1_000_000
PARTS = ("kafka", "postgres", "executor", "tracker", "api")

OnState = Callable[[StackState], None]


class Stack:
    """One stack on one data folder; `run` brings it up and keeps it so until interrupted."""

    def __init__(
        self,
        settings: SteplogSettings,
        on_state: OnState,
    ) -> None:
        self._settings = settings
        self._on_state = on_state
        self._fetched_bytes = 0
        self._folder = DataFolder(settings.data_dir)
        self._supervisor = Supervisor(self._note)
        self._state = StackState(
            supervisor_pid=os.getpid(),
            started_at=datetime.now(UTC),
            topic_namespace=settings.topic_namespace,
            partitions=settings.partitions,
            processes=tuple(ProcessState(name=name, kind="") for name in PARTS),
        )

    def run(self, on_ready: OnState) -> None:
        """Start everything, then watch over it until KeyboardInterrupt; leave nothing running.

        Raises:
            SteplogError: something did not come up, or a stack runs here already.
        """
        self._folder.create()
        with self._folder.held():
            end_leftovers(self._folder.read_state())
            with self._stopped_at_the_end():
                self._start()
                on_ready(self._state)
                self._watch()

    def _start(self) -> None:
        api_port = self._choose_api_port()
        if not self._settings.kafka_bootstrap_servers:
            refuse_security_of_another()
        kafka = choose_kafka(self._folder.kafka, self._given(), self._fetched)
        postgres = choose_postgres(self._folder.postgres, self._given(), DATABASE)
        self._supervisor.start((postgres, kafka))
        service_settings = ServiceSettings(
            kafka_bootstrap_servers=kafka.address,
            database_url=postgres.address,
            topic_namespace=self._settings.topic_namespace,
            partitions=self._settings.partitions,
            api_host=self._settings.api_host,
            api_port=api_port,
            payload_store=self._settings.payload_store or str(self._folder.payloads),
        )
        asyncio.run(apply_topics(kafka.address, tuple(self._settings.topics)))
        migrate(service_settings, self._folder)
        self._publish(
            kafka_bootstrap_servers=kafka.address,
            database_url=postgres.address,
            api_url=service_settings.api_url,
            payload_store=service_settings.payload_store,
        )
        self._supervisor.start(services(service_settings, self._folder))
        self._publish(ready=True)

    def _watch(self) -> None:
        trim_at = time.monotonic()
        while True:
            self._supervisor.look_around()
            if time.monotonic() >= trim_at:
                self._folder.trim_logs()
                trim_at = time.monotonic() + TRIM_LOGS_INTERVAL_S
            time.sleep(LOOK_INTERVAL_S)

    def _given(self) -> dict[str, str]:
        given = {
            "KAFKA_BOOTSTRAP_SERVERS": self._settings.kafka_bootstrap_servers,
            "DATABASE_URL": self._settings.database_url,
        }
        return {name: address for name, address in given.items() if address is not None}

    def _choose_api_port(self) -> int:
        wanted, host = self._settings.api_port, self._settings.api_host
        if wanted is None:
            return DEFAULT_API_PORT if is_free(DEFAULT_API_PORT, host) else free_ports(1)[0]
        if not is_free(wanted, host):
            raise ServerNotStarted(
                f"Port {wanted} on {host} is taken; free it, or choose another with --api-port "
                "or STEPLOG_API_PORT."
            )
        return wanted

    @contextmanager
    def _stopped_at_the_end(self) -> Iterator[None]:
        try:
            yield
        finally:
            with interrupts_ignored():
                self._publish(stopping=True)
                self._supervisor.stop()
                self._folder.forget_state()

    def _note(self, process: ProcessState) -> None:
        self._state = self._state.with_process(process)
        self._publish()

    def _fetched(self, count: int) -> None:
        """Tell about the first download, once a megabyte."""
        before, self._fetched_bytes = self._fetched_bytes, self._fetched_bytes + count
        if before == 0 or before // _MEGABYTE != self._fetched_bytes // _MEGABYTE:
            done, total = self._fetched_bytes // _MEGABYTE, DOWNLOAD_BYTES // _MEGABYTE
            note = f"fetching Kafka, {done} of about {total} MB, this once"
            self._note(self._state.process("kafka").model_copy(update={"note": note}))

    def _publish(self, **changed: object) -> None:
        self._state = self._state.model_copy(update=changed)
        # A full disk must not keep the stack from being watched and stopped.
        with suppress(OSError):
            self._folder.write_state(self._state)
        self._on_state(self._state)
