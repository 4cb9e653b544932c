"""What an archive consists of, whatever the kind of file."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from steplog.errors import BadInput

VERSION: Final = 1


class DamagedArchive(BadInput):
    """A file is no archive, or not what was written; nothing is taken from it."""


class ArchivedRecord(NamedTuple):
    """One record of an events topic, byte for byte, with where and when it stood there."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """What an archive says of itself first: whence, and which executions were asked for."""

    topic: str
    partitions: int
    selection: Mapping[str, str | None]
    made_at: str
    version: int = VERSION

    def as_json(self) -> dict[str, Any]:
        """Return it for the file."""
        return asdict(self)


@dataclass(slots=True)
class Closing:
    """What an archive says last: how much there must be, and what it does not have."""

    records: dict[int, int] = field(default_factory=dict)  # By partition.
    executions: int = 0  # Begun in it.
    unfinished: int = 0  # Of those, without an end: export them again once they have one.
    stale: int = 0  # Left out: appended too late by a former owner.

    @property
    def total(self) -> int:
        """Records in all."""
        return sum(self.records.values())

    def as_json(self) -> dict[str, Any]:
        """Return it for the file."""
        return asdict(self)


class ArchiveWriter(Protocol):
    """Writes one archive; the file has its name only once `close` was called."""

    def write(self, record: ArchivedRecord) -> None:
        """Add a record."""

    def close(self, closing: Closing) -> None:
        """Write the last part and give the file its name."""

    def abandon(self) -> None:
        """Remove what was written."""


class ArchiveReader(Protocol):
    """Reads one archive, as often as wanted."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def opening(self) -> Opening:
        """What it says of itself."""

    def records(self) -> Iterator[ArchivedRecord]:
        """Yield its records in order; at the end it is known to be whole.

        Raises:
            DamagedArchive: a record can't be read, or there are more or fewer than were written.
        """


def opening_of(told: Any, path: Path) -> Opening:
    """Return the opening in what a file says of itself.

    Raises:
        DamagedArchive: it says nothing of the kind, or is of a later version.
    """
    try:
        version = int(told["version"])
        opening = Opening(
            str(told["topic"]),
            int(told["partitions"]),
            dict(told["selection"]),
            str(told["made_at"]),
            version,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedArchive(
            f"The file {path} is no archive of steplog; give one that `steplog export` wrote."
        ) from error
    if version > VERSION:
        raise DamagedArchive(
            f"The archive {path} is of version {version}; this steplog reads up to {VERSION}, so "
            "upgrade it."
        )
    return opening


def check_whole(path: Path, found: Mapping[int, int], told: Any) -> None:
    """Raise `DamagedArchive` unless as many records were found as the last part tells."""
    try:
        wanted = {int(partition): int(count) for partition, count in told["records"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise cut_off(path) from error
    if wanted != dict(found):
        raise DamagedArchive(
            f"The archive {path} is damaged: it holds {sum(found.values())} records where "
            f"{sum(wanted.values())} were written. Export it again, or give another copy."
        )


def cut_off(path: Path) -> DamagedArchive:
    """Return the error for an archive without its end."""
    return DamagedArchive(
        f"The archive {path} is cut off: its last part is missing. Export it again, or give "
        "another copy."
    )
