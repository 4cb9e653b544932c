"""Who sends a request, for routes that not everybody may use."""

from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tracker_service.access.roles import ANYBODY, Caller, NotAllowed, Role

SCOPE_KEY: Final = "steplog.caller"
# In no request that came over a network: a server makes its scopes itself.
IN_PROCESS_KEY: Final = "steplog.in_process"


def in_process(app: ASGIApp) -> ASGIApp:
    """Return the application for callers in its own process, who may ask as often as they like."""

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, IN_PROCESS_KEY: True}, receive, send)

    return ask


def caller_of(request: Request) -> Caller:
    """Return who asks; the access check put it there."""
    caller: Caller = request.scope.get(SCOPE_KEY, ANYBODY)
    return caller


def sender_of(request: Request) -> str:
    """Return who a request counts for: its caller's name, or where it comes from."""
    name = caller_of(request).name
    return name or (request.client.host if request.client is not None else "unknown")


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
