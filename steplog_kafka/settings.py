"""Settings of the connection to Kafka, from the environment; the same for every process.

Secrets are `SecretStr` or lie in files. A file is read each time a client is made, so a password
that was changed there is taken without a restart of what reconnects.
"""

import os
from difflib import get_close_matches
from typing import Any, Self

from pydantic import ValidationError, model_validator

from steplog_contracts.validation_message import plain_message
from steplog_kafka.connection_fields import PREFIX, ConnectionFields
from steplog_kafka.consistency import contradiction
from steplog_kafka.errors import WrongKafkaSettings


class KafkaSettings(ConnectionFields):
    """How a client reaches Kafka and who it is there; fields that contradict are refused."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problem := contradiction(self):
            raise ValueError(problem)
        return self


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
