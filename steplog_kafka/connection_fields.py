"""The fields of a connection to Kafka, each checked for itself."""

import os
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "STEPLOG_KAFKA_"
DEFAULT_SERVERS = "127.0.0.1:9092"
DEFAULT_CLIENT_ID = "steplog"
DEFAULT_REQUEST_TIMEOUT_MS = 10_000
# A topic made or moved a moment ago, and a leader elected while a producer was idle, are known to
# clients after so long; aiokafka's own is 5 min. A broker that has just started may not know its
# topics yet: the leader of a group then hands out nothing until it looks again.
DEFAULT_METADATA_MAX_AGE_MS = 5_000

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


class ConnectionFields(BaseSettings):
    """How a client reaches Kafka and who it is there. Durations carry their unit in the name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        # A name that means nothing would leave a connection open that was meant to be secured.
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        # Compose files pass a variable that nobody set as an empty one.
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    bootstrap_servers: str = Field(
        default=DEFAULT_SERVERS,
        validation_alias=AliasChoices(
            "STEPLOG_KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS", "bootstrap_servers"
        ),
    )
    security_protocol: SecurityProtocol = "PLAINTEXT"

    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_password_file: Path | None = None
    # OAUTHBEARER: a token that something else keeps fresh in a file, or one asked for here.
    sasl_oauth_token_file: Path | None = None
    sasl_oauth_token_url: str | None = Field(default=None, pattern=r"^https?://")
    sasl_oauth_client_id: str | None = None
    sasl_oauth_client_secret: SecretStr | None = None
    sasl_oauth_client_secret_file: Path | None = None
    sasl_oauth_scope: str | None = None

    # None: the authorities this machine trusts.
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_key_password: SecretStr | None = None
    ssl_key_password_file: Path | None = None
    ssl_check_hostname: bool = True

    # What quotas and the brokers' logs know a client by.
    client_id: str = DEFAULT_CLIENT_ID
    # Where this machine stands; readers then read from replicas near by.
    client_rack: str | None = None
    request_timeout_ms: int = Field(default=DEFAULT_REQUEST_TIMEOUT_MS, ge=1_000, le=300_000)
    metadata_max_age_ms: int = Field(default=DEFAULT_METADATA_MAX_AGE_MS, ge=1_000, le=3_600_000)

    # Of topics: what commands create them with and services insist on; None: the brokers' own.
    replication_factor: int | None = Field(default=None, ge=1, le=100)
    min_insync_replicas: int | None = Field(default=None, ge=1, le=100)

    @field_validator("security_protocol", "sasl_mechanism", mode="before")
    @classmethod
    def _as_kafka_writes_it(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("bootstrap_servers")
    @classmethod
    def _addresses(cls, value: str) -> str:
        servers = [server.strip() for server in value.split(",") if server.strip()]
        if not servers or not all(_is_address(server) for server in servers):
            raise ValueError("is no list of HOST:PORT, separated by commas")
        return ",".join(servers)

    @field_validator(
        "sasl_password_file",
        "sasl_oauth_token_file",
        "sasl_oauth_client_secret_file",
        "ssl_cafile",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_key_password_file",
    )
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not (value.is_file() and os.access(value, os.R_OK)):
            raise ValueError(f"names {value}, and there is no such file that can be read")
        return value

    @property
    def servers(self) -> list[str]:
        """Return the addresses one by one."""
        return self.bootstrap_servers.split(",")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        """Whether the client says who it is by a user, a token or the like."""
        return self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL")


def _is_address(server: str) -> bool:
    host, separator, port = server.rpartition(":")
    if not separator or (host.startswith("[") != host.endswith("]")):
        return _is_host(server)
    return _is_host(host) and port.isdecimal() and 0 < int(port) < 65_536


def _is_host(host: str) -> bool:
    return bool(host) and not set(host) & set("/ @\t")
