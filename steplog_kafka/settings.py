"""Settings of the connection to Kafka, from the environment; the same for every process.

Secrets are `SecretStr` or lie in files. A file is read each time a client is made, so a password
that was changed there is taken without a restart of what reconnects.
"""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from steplog_contracts.validation_message import plain_message
from steplog_kafka.consistency import contradiction
from steplog_kafka.errors import WrongKafkaSettings

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


class KafkaSettings(BaseSettings):
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

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problem := contradiction(self):
            raise ValueError(problem)
        return self

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


# A bare address means: there, and all else as the environment says.
Kafka = KafkaSettings | str


def kafka_settings(kafka: Kafka | None = None, **given: Any) -> KafkaSettings:
    """Return the settings: those given, or those of the environment, there or at an address.

    Args:
        kafka: settings, which are returned as they are, or an address.
        given: fields of `KafkaSettings`, which count before the environment's.

    Raises:
        WrongKafkaSettings: a value can't be used, a name is unknown, or two contradict each other.
    """
    if isinstance(kafka, KafkaSettings):
        if given:
            raise WrongKafkaSettings(
                "Settings that are made already take no others; make new ones."
            )
        return kafka
    _refuse_unknown_names()
    try:
        named: dict[str, Any] = {} if kafka is None else {"bootstrap_servers": kafka}
        return KafkaSettings(**named, **given)
    except ValidationError as error:
        raise WrongKafkaSettings(_sentence(error)) from None


def local_kafka(address: str) -> KafkaSettings:
    """Return settings of a broker started here: plain, whatever the environment says of others."""
    return KafkaSettings.model_construct(bootstrap_servers=address)


def _refuse_unknown_names() -> None:
    """Refuse a name that means nothing: misspelt, it would leave a connection open to all."""
    known = _known()
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            raise WrongKafkaSettings(_unknown(name))


def _known() -> set[str]:
    return {PREFIX + name.upper() for name in KafkaSettings.model_fields}


def _unknown(name: str) -> str:
    likely = get_close_matches(name, _known(), n=1)
    advice = f"did you mean {likely[0]}?" if likely else "docs/security.md lists them."
    return f"There is no setting {name}; {advice}"


def _sentence(error: ValidationError) -> str:
    """Return what is wrong first, without the value: it may be a secret."""
    first = error.errors(include_url=False, include_input=False)[0]
    problem = plain_message(first)
    if not first["loc"]:
        return f"{problem}."
    if first["type"] == "extra_forbidden":
        return _unknown(f"{PREFIX}{first['loc'][0]}".upper())
    name = str(first["loc"][0]).upper()
    variable = name if name.startswith(("KAFKA_", PREFIX)) else PREFIX + name
    # Messages of pydantic say what it should be; ours begin with a verb.
    told = problem if problem.startswith(("is ", "names ")) else f"is wrong: {problem}"
    return f"{variable} {told.removesuffix('.')}."


def _is_address(server: str) -> bool:
    host, separator, port = server.rpartition(":")
    if not separator or (host.startswith("[") != host.endswith("]")):
        return _is_host(server)
    return _is_host(host) and port.isdecimal() and 0 < int(port) < 65_536


def _is_host(host: str) -> bool:
    return bool(host) and not set(host) & set("/ @\t")
