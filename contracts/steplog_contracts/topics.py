"""Topics: name, key, what they carry and how the broker must keep them, declared together.

Commands and events have the same partition count and the same key, so partition p of one and of
the other belong together and have one owner. The count never changes after creation: keys would
move and order would break.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DEFAULT_NAMESPACE = "steplog"
DEFAULT_PARTITIONS = 8
_DAY_MS = 24 * 60 * 60 * 1000
COMMANDS_RETENTION_MS = 7 * _DAY_MS
# The seen topic must keep what the longest window asks for, and a window is kept in quarters.
MAX_DEDUPE_WINDOW_H = 7 * 24
SEEN_RETENTION_MS = 10 * _DAY_MS
DEAD_COMMANDS_RETENTION_MS = 30 * _DAY_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it must exist: partitions, and the broker settings that correctness rests on."""

    name: str
    partitions: int
    key: str
    carries: str
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one steplog: everything two services share."""

    commands: Topic
    events: Topic
    parked: Topic
    seen: Topic
    dead_commands: Topic

    def __iter__(self) -> Iterator[Topic]:
        return iter((self.commands, self.events, self.parked, self.seen, self.dead_commands))


def topics_for(namespace: str = DEFAULT_NAMESPACE, partitions: int = DEFAULT_PARTITIONS) -> Topics:
    """Return the topics under a namespace; several steplogs may share a broker."""
    return Topics(
        commands=Topic(
            name=f"{namespace}.commands",
            partitions=partitions,
            key="execution_id",
            carries="commands",
            config={"cleanup.policy": "delete", "retention.ms": str(COMMANDS_RETENTION_MS)},
        ),
        events=Topic(
            name=f"{namespace}.events",
            partitions=partitions,
            key="execution_id",
            carries="events",
            # The history itself: kept for ever and never compacted.
            config={"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"},
        ),
        parked=Topic(
            name=f"{namespace}.parked",
            partitions=partitions,
            key="execution_id",
            carries="snapshots of parked executions",
            # A new owner reads it whole. Only closed segments are compacted, so they close early.
            config={
                "cleanup.policy": "compact",
                "segment.bytes": str(16 * 1024 * 1024),
                "min.cleanable.dirty.ratio": "0.1",
            },
        ),
        seen=Topic(
            name=f"{namespace}.seen",
            partitions=partitions,
            key="none",
            carries="ids of commands dealt with, by which repeats are known",
            config={"cleanup.policy": "delete", "retention.ms": str(SEEN_RETENTION_MS)},
        ),
        dead_commands=Topic(
            name=f"{namespace}.commands.dead",
            partitions=1,
            key="as received",
            carries="commands nobody can read, byte for byte",
            config={
                "cleanup.policy": "delete",
                "retention.ms": str(DEAD_COMMANDS_RETENTION_MS),
            },
        ),
    )
