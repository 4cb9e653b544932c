"""How PostgreSQL is reached beside its URL: a password from a file, a pooler in between."""

from pathlib import Path
from typing import Literal

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from steplog_contracts.validation_message import plain_message
from tracker_service.store.errors import StoreRefused


class DatabaseSettings(BaseSettings):
    """Variables that begin with `STEPLOG_DATABASE_`; the URL is one of the tracker's settings."""

    model_config = SettingsConfigDict(
        env_prefix="STEPLOG_DATABASE_",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    # transaction: PgBouncer or the like gives each transaction whatever connection is free.
    pooling: Literal["session", "transaction"] = "session"
    password: SecretStr | None = None
    password_file: Path | None = None

    @property
    def by_transaction(self) -> bool:
        """Whether nothing of a session outlives a transaction."""
        return self.pooling == "transaction"

    def current_password(self) -> str:
        """Return the password as it is now, for each new connection.

        Raises:
            StoreRefused: the file can't be read.
        """
        if self.password is not None:
            return self.password.get_secret_value()
        assert self.password_file is not None
        try:
            return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise StoreRefused(
                f"STEPLOG_DATABASE_PASSWORD_FILE names {self.password_file}, which can't be read."
            ) from None


def read_database_settings() -> DatabaseSettings:
    """Return the settings; raises `StoreRefused` naming a value that can't be used."""
    try:
        settings = DatabaseSettings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = f"STEPLOG_DATABASE_{str(first['loc'][0]).upper()}"
        raise StoreRefused(f"{name} can't be used: {plain_message(first)}.") from None
    if settings.password is not None and settings.password_file is not None:
        raise StoreRefused(
            "STEPLOG_DATABASE_PASSWORD and STEPLOG_DATABASE_PASSWORD_FILE are both set; leave one "
            "out."
        )
    return settings
