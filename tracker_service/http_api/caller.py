"""Who asks, and what each role may do.

Roles are nested: a viewer reads, an operator also sends commands, an admin also sees what is shown
to nobody else (the bytes of dead letters, which no mask fits).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final

from fastapi import Depends, Request

from tracker_service.projections.errors import TrackerError

SCOPE_KEY: Final = "steplog.caller"


class Role(IntEnum):
    """What a caller may do; each includes those before it."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is None where access is open: nobody has shown who they are."""

    name: str | None
    role: Role


ANYBODY: Final = Caller(None, Role.ADMIN)


class NotAllowed(TrackerError):
    """The caller's role does not allow what was asked."""


def caller_of(request: Request) -> Caller:
    """Return who asks; the access check put it there."""
    caller: Caller = request.scope.get(SCOPE_KEY, ANYBODY)
    return caller


CallerOfRequest = Annotated[Caller, Depends(caller_of)]


def _operator(caller: CallerOfRequest) -> Caller:
    return _at_least(caller, Role.OPERATOR)


def _admin(caller: CallerOfRequest) -> Caller:
    return _at_least(caller, Role.ADMIN)


def _at_least(caller: Caller, role: Role) -> Caller:
    if caller.role < role:
        raise NotAllowed(
            f"Your role is {caller.role.name.lower()} and this needs {role.name.lower()}; ask for "
            "a token of that role."
        )
    return caller


Operator = Annotated[Caller, Depends(_operator)]
Admin = Annotated[Caller, Depends(_admin)]
