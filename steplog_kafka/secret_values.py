"""Secrets from a setting or a file, read when they are used and kept nowhere."""

from pathlib import Path

from pydantic import SecretStr

from steplog_kafka.errors import WrongKafkaSettings


def secret_value(given: SecretStr | None, file: Path | None) -> str | None:
    """Return a secret: what was given, or the file's text without the line's end.

    Raises:
        WrongKafkaSettings: the file can't be read, or is empty.
    """
    if given is not None:
        return given.get_secret_value()
    return None if file is None else secret_in(file)


def secret_in(file: Path) -> str:
    """Return a file's text without the line's end; raises `WrongKafkaSettings`."""
    try:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise WrongKafkaSettings(f"The secret in {file} can't be read: {reason}.") from None
    if not text:
        raise WrongKafkaSettings(f"The file {file} is empty; write the secret into it.")
    return text
