"""What the tracker can be told, by environment; each setting with its unit and reason."""

import os
from pathlib import Path
from tempfile import gettempdir

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from steplog_contracts.addresses import without_passwords
from steplog_contracts.topics import DEFAULT_NAMESPACE, topics_for
from steplog_contracts.validation_message import plain_message
from tracker_service.projections.errors import TrackerError


class BadSettings(TrackerError):
    """An environment variable has a value the tracker can't use."""


class Settings(BaseSettings):
    """Read from variables with the prefix `STEPLOG_`; two also without it."""

    model_config = SettingsConfigDict(env_prefix="STEPLOG_", extra="ignore", frozen=True)

    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:9092",
        validation_alias=AliasChoices("STEPLOG_KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"),
    )
    database_url: str = Field(
        default="postgresql://steplog@127.0.0.1:5432/steplog",
        repr=False,
        validation_alias=AliasChoices("STEPLOG_DATABASE_URL", "DATABASE_URL"),
    )
    topic_namespace: str = Field(default=DEFAULT_NAMESPACE, pattern=r"^[A-Za-z0-9._-]{1,100}$")
    # None: as many as the topic has; the count the rows were built with must match either way.
    partitions: int | None = Field(default=None, ge=1)
    tracker_group: str | None = None

    # Where the executor stores what is too large for an event; the API reads it there.
    payload_store: str | None = Field(default=None, repr=False)

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8400, ge=0, le=65535)

    # Beyond loopback the API starts only if it knows its callers: lines `NAME ROLE SHA256
    # [EXPIRES]` in a file (read again when it changes) or here, or tokens of an OpenID issuer.
    api_tokens_file: Path | None = None
    api_tokens: str = Field(default="", repr=False)
    api_oidc_issuer: str = ""
    api_oidc_audience: str = ""
    # Dotted path of the claim that holds viewer, operator or admin, or a list with one of them.
    api_oidc_role_claim: str = "role"
    # Origins whose pages may ask, separated by commas; none by default.
    api_cors_origins: str = ""
    # Addresses of proxies whose X-Forwarded-For and -Proto are believed, separated by commas.
    api_trusted_proxies: str = ""
    # Requests a caller may make in a second; more are told to come again.
    api_rate_per_s: int = Field(default=200, ge=1, le=100_000)
    api_max_streams: int = Field(default=2_000, ge=1, le=100_000)
    # Connections to the database of one API process at most.
    api_max_connections: int = Field(default=10, ge=1, le=100)

    # Records folded and written together. More than about 2,000 gains nothing and adds delay.
    tracker_batch_max_records: int = Field(default=1000, ge=1, le=10_000)
    # One connection per partition flushed at a time, and one for positions and heartbeats.
    tracker_max_connections: int = Field(default=10, ge=2, le=100)
    # Partitions flushed at once (an actor each); without it one batch at a time.
    tracker_parallel_partitions: bool = True
    # Without progress for this long while events wait, the worker ends to be started anew.
    tracker_stall_timeout_s: float = Field(default=60.0, gt=0)
    # How long the partitions of a worker that died wait for another one; brokers grant 6 s or more.
    tracker_session_timeout_s: float = Field(default=8.0, ge=6)
    tracker_rebalance_timeout_s: float = Field(default=60.0, ge=1)
    # Between two checks of a few rows against the log; 0: none. How many executions each checks.
    tracker_drift_interval_s: float = Field(default=30.0, ge=0)
    tracker_drift_sample: int = Field(default=4, ge=1, le=100)
    # 0: no port. Else the worker's own counters at http://<host>:<port>/metrics.
    tracker_metrics_port: int = Field(default=0, ge=0, le=65535)
    tracker_metrics_host: str = "127.0.0.1"
    # Faust keeps a folder even when it has nothing to store. One of another user is refused.
    tracker_data_folder: Path = Path(gettempdir()) / f"steplog-tracker-{os.getuid()}"
    log_level: str = Field(default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")

    @property
    def events_topic(self) -> str:
        """Name of the topic the rows are made from."""
        return topics_for(self.topic_namespace).events.name

    @property
    def commands_topic(self) -> str:
        """Name of the topic that commands of the API go to."""
        return topics_for(self.topic_namespace).commands.name

    @property
    def consumer_group(self) -> str:
        """The Kafka consumer group of the workers."""
        return self.tracker_group or f"{self.topic_namespace}.tracker"


def read_settings() -> Settings:
    """Return the settings.

    Raises:
        BadSettings: a variable's value can't be used; the text names the first such variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        variable = name if name.isupper() else f"STEPLOG_{name.upper()}"
        raise BadSettings(
            f"{variable} has the value {without_passwords(repr(first['input']))}, which can't be "
            f"used: {plain_message(first)}."
        ) from error
