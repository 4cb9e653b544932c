"""Who asks, and what each role may do.

Roles are nested: a viewer reads, an operator also sends commands, an admin also sees what is shown
to nobody else (the bytes of dead letters, which no mask fits).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from tracker_service.projections.errors import TrackerError


class Role(IntEnum):
    """What a caller may do; each includes those before it."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @classmethod
    def named(cls, name: str) -> "Role | None":
        """Return the role of a name, None if there is none."""
        return cls.__members__.get(name.upper())


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is None where access is open: nobody has shown who they are.

    `label` is what people know a name by, such as an address; it proves nothing by itself.
    """

    name: str | None
    role: Role
    label: str | None = None


ANYBODY: Final = Caller(None, Role.ADMIN)


class NotAllowed(TrackerError):
    """The caller's role does not allow what was asked."""


class NotKnown(TrackerError):
    """The caller has not shown who they are, or has shown what is not valid (any more)."""


class AccessRefused(TrackerError):
    """The API can't be started as its access is set up; the text names the remedy."""
