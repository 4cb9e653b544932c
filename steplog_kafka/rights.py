"""A right that is missing: what the broker says by a code, as a sentence with the remedy."""

from collections.abc import Iterable

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from steplog_kafka.errors import KafkaRefused
from steplog_kafka.settings import Kafka, KafkaSettings, kafka_settings

_REMEDY = "grant it; docs/security.md lists what each process needs"


def missing_right(error: BaseException, kafka: Kafka) -> KafkaRefused | None:
    """Return the sentence for an error that is about a right, None for any other."""
    who = principal(kafka_settings(kafka))
    match error:
        case TopicAuthorizationFailedError():
            right = f"a right on {_named(error, 'topic')}"
        case GroupAuthorizationFailedError():
            right = f"the right to read as {_named(error, 'group')}"
        case ClusterAuthorizationFailedError():
            right = "a right on the cluster (to create topics, or to write without repeats)"
        case TransactionalIdAuthorizationFailed():
            right = f"the right to write under {_named(error, 'transactional id')}"
        case _:
            return None
    return KafkaRefused(f"Kafka says that {who} lacks {right}; {_REMEDY}.")


def principal(settings: KafkaSettings) -> str:
    """Return who the broker takes this client for, as far as that is known here."""
    if settings.sasl_username:
        return f"the user {settings.sasl_username!r}"
    if settings.sasl_oauth_client_id:
        return f"the client {settings.sasl_oauth_client_id!r}"
    if settings.uses_sasl:
        return "the user of the token"
    if settings.ssl_certfile is not None:
        return f"the subject of {settings.ssl_certfile}"
    return "a client that shows no user and no certificate"


def _named(error: KafkaError, kind: str) -> str:
    """Return what an error is about: aiokafka gives a name, several, or none."""
    found = error.args[0] if error.args else None
    if isinstance(found, str) and found and " " not in found:
        return f"the {kind} {found}"
    if isinstance(found, Iterable) and not isinstance(found, str):
        names = sorted(str(name) for name in found)
        return f"the {kind} {', '.join(names)}" if names else f"a {kind}"
    return f"a {kind}"
