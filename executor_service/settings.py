"""Settings of the executor, from the environment; a wrong one is named before anything starts."""

import os
import socket

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from executor_service.admission.controller import MAX_WAITING_COMMANDS
from executor_service.dedupe.seen_ids import DEFAULT_MAX_IDS
from steplog_contracts.payload import MAX_INLINE_PAYLOAD_BYTES
from steplog_contracts.topics import (
    DEFAULT_NAMESPACE,
    DEFAULT_PARTITIONS,
    MAX_DEDUPE_WINDOW_H,
    Topics,
    topics_for,
)


def _instance() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


class ExecutorSettings(BaseSettings):
    """What the executor needs to know. Durations carry their unit in the name."""

    model_config = SettingsConfigDict(env_prefix="STEPLOG_", extra="ignore")

    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:9092",
        validation_alias=AliasChoices("STEPLOG_KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"),
    )
    topic_namespace: str = DEFAULT_NAMESPACE
    partitions: int = Field(default=DEFAULT_PARTITIONS, ge=1, le=4096)
    # Comma separated: exact module names, or `package.*`. Nothing else is ever imported.
    step_modules: str = ""
    pipelines_dir: str | None = None  # Definitions that commands may name; files are NAME.json.
    # `package.module:function` returning a ServiceRegistry for steps (database, http, ...).
    services: str | None = None
    # A folder all services share, or a URL of any kind fsspec knows; none: values stay in events.
    payload_store: str | None = Field(default=None, repr=False)
    # In a folder: the group may read what is stored, for services that run as other users.
    payload_store_shared: bool = False
    # Above half of what the log takes there would be no room for an event's other values.
    max_inline_bytes: int = Field(default=MAX_INLINE_PAYLOAD_BYTES, ge=4_096, le=400_000)
    executor_instance: str = Field(default_factory=_instance)
    executor_group: str | None = None
    max_executions_in_flight: int = Field(default=1_000, ge=1, le=100_000)
    session_timeout_ms: int = Field(default=10_000, ge=1_000, le=300_000)
    commit_interval_s: float = Field(default=1.0, gt=0, le=60)
    # Commands that each partition looks ahead, for priorities and limits.
    max_waiting_commands: int = Field(default=MAX_WAITING_COMMANDS, ge=1, le=100_000)
    # Executions that wait for a time further off than this leave memory until then.
    park_timers_over_s: float = Field(default=60.0, ge=1, le=86_400)
    # How long a repeat of a command is known for one, as long as the topic keeps commands; ids kept
    # for each partition at most.
    dedupe_window_h: float = Field(default=float(MAX_DEDUPE_WINDOW_H), gt=0, le=MAX_DEDUPE_WINDOW_H)
    dedupe_max_ids: int = Field(default=DEFAULT_MAX_IDS, ge=1_000, le=100_000_000)
    shutdown_grace_s: float = Field(default=10.0, ge=0, le=600)
    # Touched while commands are being taken, for `python -m executor_service ready`.
    ready_file: str | None = None
    # 0: no port. Else the executor's own metrics and readiness at http://<host>:<port>.
    executor_metrics_port: int = Field(default=0, ge=0, le=65535)
    executor_metrics_host: str = "127.0.0.1"
    log_level: str = "INFO"

    @property
    def topics(self) -> Topics:
        """Return the topics under the namespace."""
        return topics_for(self.topic_namespace, self.partitions)

    @property
    def group_id(self) -> str:
        """Return the consumer group of the executors of this namespace."""
        return self.executor_group or f"{self.topic_namespace}.executor"

    @property
    def allowed_modules(self) -> tuple[str, ...]:
        """Return the allowlist's entries."""
        return tuple(entry.strip() for entry in self.step_modules.split(",") if entry.strip())
