"""What aiokafka 0.14 does otherwise than it must here; installed before a client is made.

It waits for the other side's farewell when it closes a TLS connection. A broker that is about to
answer a fetch doesn't send one, and under uvloop each stop of a reader then takes 30 s.

It logs requests at DEBUG level, those with passwords too.

It stops at a record whose header names are not UTF-8: see `fetched_batches`.
"""

import logging
from typing import Any

from aiokafka.conn import AIOKafkaConnection

from steplog_kafka.fetched_batches import install_readable_records

_WITH_SECRETS = ("SaslAuthenticate", "SaslHandShake")
_graceful_close = AIOKafkaConnection.close


def install() -> None:
    """Install all; more than once changes nothing."""
    install_readable_records()
    AIOKafkaConnection.close = close_at_once
    logger = logging.getLogger("aiokafka.conn")
    if not any(isinstance(known, WithoutSecrets) for known in logger.filters):
        logger.addFilter(WithoutSecrets())


def close_at_once(connection: Any, reason: Any = None, exc: BaseException | None = None) -> Any:
    """Close a connection; by TLS without waiting, since all that must arrive was acknowledged."""
    writer = connection._writer
    closed = _graceful_close(connection, reason=reason, exc=exc)
    if writer is not None and connection._security_protocol in ("SSL", "SASL_SSL"):
        writer.transport.abort()
    return closed


class WithoutSecrets(logging.Filter):
    """Drops lines about logging in: their requests hold the password."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line may be logged."""
        values = record.args if isinstance(record.args, tuple) else ()
        return not any(type(value).__name__.startswith(_WITH_SECRETS) for value in values)
