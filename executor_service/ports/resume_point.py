"""What a commit of the commands topic holds: where a new owner of the partition resumes."""

import json
from dataclasses import dataclass, field, replace

from executor_service.ports.last_record import LastRecords

METADATA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a new owner takes up: next command, first event to read, epoch in force there.

    Ids that commands led to are saved for the events below `ids_through`, in the seen topic from
    its offset `ids_from` on; a new owner reads the events from there for the rest.
    """

    command_offset: int
    mark: int
    epoch: int | None
    ids_through: int = 0
    ids_from: int = 0
    # The newest record known of each log, by which a log that lost some is recognised.
    last: LastRecords = field(default_factory=LastRecords)

    def from_the_beginning(self, ids_from: int) -> "ResumePoint":
        """Return the point of an owner that reads all events there are; no saved id counts."""
        last = LastRecords(commands=self.last.commands)
        return replace(self, mark=0, epoch=None, ids_through=0, ids_from=ids_from, last=last)

    @property
    def read_from(self) -> int:
        """Return the events offset from which a new owner reads."""
        return min(self.mark, self.ids_through)

    def metadata(self) -> str:
        """Return the text stored with the committed commands offset."""
        return json.dumps(
            {
                "v": METADATA_VERSION,
                "mark": self.mark,
                "epoch": self.epoch,
                "ids": [self.ids_through, self.ids_from],
                "last": self.last.as_json(),
            }
        )


def resume_point(command_offset: int, metadata: str) -> ResumePoint:
    """Read a committed offset; without usable metadata, recovery reads from the log's start."""
    try:
        stored = json.loads(metadata)
        through, start = stored["ids"]
        return ResumePoint(
            command_offset,
            int(stored["mark"]),
            stored["epoch"],
            int(through),
            int(start),
            LastRecords.from_json(stored.get("last", {})),
        )
    except (ValueError, KeyError, TypeError):
        return ResumePoint(command_offset, 0, None)
