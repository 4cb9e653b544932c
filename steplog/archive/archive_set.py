"""Whether several archives belong together, by what they say of themselves."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations, pairwise
from typing import Final

from steplog.archive.format import ArchiveReader, DamagedArchive
from steplog.errors import BadInput
from steplog_contracts.envelope import format_time

_EVER: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
Window = tuple[datetime, datetime]


def check_together(archives: Sequence[ArchiveReader]) -> int:
    """Return the number of partitions all of them have.

    Raises:
        BadInput: they differ in that, or may hold the same executions.
    """
    counts = sorted({archive.opening.partitions for archive in archives})
    if len(counts) != 1:
        raise BadInput(
            "The archives come from topics with different numbers of partitions "
            f"({', '.join(map(str, counts))}); import those of one topic."
        )
    for one, other in combinations(archives, 2):
        if _overlap(one, other):
            raise BadInput(
                f"The archives {one.path} and {other.path} may hold the same executions; give one "
                "of them, the newer if they differ."
            )
    return counts[0]


def windows_left_out(archives: Sequence[ArchiveReader]) -> list[str]:
    """Return, in words, the times between the archives that none of them covers."""
    windows = sorted(_window(archive) for archive in archives if _one(archive) is None)
    return [
        f"No archive has the executions that began from {format_time(before[1])} to "
        f"{format_time(after[0])}."
        for before, after in pairwise(windows)
        if before[1] < after[0]
    ]


def _overlap(one: ArchiveReader, other: ArchiveReader) -> bool:
    names = _one(one), _one(other)
    if all(name is not None for name in names):
        return names[0] == names[1]
    if any(name is not None for name in names):
        return True  # Whether a window has that execution, only its records tell.
    first, second = sorted((_window(one), _window(other)))
    return first[1] > second[0]


def _one(archive: ArchiveReader) -> str | None:
    return archive.opening.selection.get("execution_id")


def _window(archive: ArchiveReader) -> Window:
    selection: Mapping[str, str | None] = archive.opening.selection
    try:
        since, until = (
            None if text is None else datetime.fromisoformat(text)
            for text in (selection.get("since"), selection.get("until"))
        )
    except ValueError as error:
        raise DamagedArchive(
            f"The archive {archive.path} is damaged: it does not say from when it is."
        ) from error
    return since or _EVER[0], until or _EVER[1]
