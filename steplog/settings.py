"""Settings of the command line, the client and the local stack, from the environment."""

from pathlib import Path

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from steplog.errors import BadInput
from steplog_contracts.payload import MAX_INLINE_PAYLOAD_BYTES
from steplog_contracts.topics import DEFAULT_NAMESPACE, DEFAULT_PARTITIONS, Topics, topics_for
from steplog_contracts.validation_message import plain_message

DEFAULT_DATA_DIR = Path(".steplog")
DEFAULT_API_PORT = 8400
# Of embedded mode, in the data folder.
DEFAULT_DATA_FILE = "steplog.db"


class SteplogSettings(BaseSettings):
    """What a person may set; unset addresses are those of the local stack."""

    model_config = SettingsConfigDict(
        env_prefix="STEPLOG_", extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    kafka_bootstrap_servers: str | None = Field(
        default=None,
        repr=False,
        validation_alias=AliasChoices("STEPLOG_KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"),
    )
    database_url: str | None = Field(
        default=None,
        repr=False,
        validation_alias=AliasChoices("STEPLOG_DATABASE_URL", "DATABASE_URL"),
    )
    topic_namespace: str = DEFAULT_NAMESPACE
    partitions: int = Field(default=DEFAULT_PARTITIONS, ge=1, le=4096)
    # What the executor may import; unset, `steplog check` allows every module.
    step_modules: str = ""
    data_dir: Path = DEFAULT_DATA_DIR
    # Embedded mode: the one file that everything is in. Unset, the pair is meant.
    data_file: Path | None = None
    api_host: str = "127.0.0.1"
    # Unset: the default port if it is free, else any free one.
    api_port: int | None = Field(default=None, ge=1, le=65535)
    api_url: str | None = None  # Of an API that somebody else runs.
    api_token: str | None = Field(
        default=None, repr=False
    )  # Where that API wants to know who asks.
    # Where values too large for a record go; unset, the local stack's, if one runs here.
    payload_store: str | None = Field(default=None, repr=False)
    payload_store_shared: bool = False  # Its group may read what is stored.
    max_inline_bytes: int = Field(default=MAX_INLINE_PAYLOAD_BYTES, ge=4_096, le=400_000)

    @property
    def topics(self) -> Topics:
        """Return the topics under the namespace."""
        return topics_for(self.topic_namespace, self.partitions)


def load_settings() -> SteplogSettings:
    """Return the settings; raise `BadInput` naming the one that is wrong."""
    try:
        return SteplogSettings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]).upper()
        prefixed = name if name.startswith("STEPLOG_") else f"STEPLOG_{name}"
        raise BadInput(f"The setting {prefixed} is wrong: {plain_message(first)}.") from error
