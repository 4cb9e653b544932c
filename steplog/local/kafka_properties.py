"""Settings of a single local broker in KRaft mode, broker and controller in one process."""

from pathlib import Path

from steplog.local.ports import LOOPBACK

NODE_ID = 1
CLEANER_BUFFER_BYTES = 16 * 1024 * 1024


def server_settings(log_dir: Path, *, port: int, controller_port: int) -> dict[str, str]:
    """Return the settings of a broker of this machine by their names."""
    return broker_settings(
        listeners=f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        advertised=f"PLAINTEXT://{LOOPBACK}:{port}",
        voters=f"{NODE_ID}@{LOOPBACK}:{controller_port}",
        log_dirs=str(log_dir),
    )


def broker_settings(
    *, listeners: str, advertised: str, voters: str, log_dirs: str
) -> dict[str, str]:
    """Return the settings by their names.

    One node holds everything, so every replication factor is 1; groups form without waiting for
    more members; topics are made by `steplog topics apply` alone, never by a client's typo.
    """
    return {
        "process.roles": "broker,controller",
        "node.id": str(NODE_ID),
        "controller.quorum.voters": voters,
        "listeners": listeners,
        "advertised.listeners": advertised,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": log_dirs,
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # The cleaner of compacted topics takes half of a small heap by default.
        "log.cleaner.dedupe.buffer.size": str(CLEANER_BUFFER_BYTES),
    }


# Warnings and worse, to standard output, where the supervisor collects them.
LOGGING_PROPERTIES = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %p %c: %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
"""
