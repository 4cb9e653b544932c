"""Signing in from a page: a session is kept in a cookie that scripts can't read.

The cookie holds a random id, never the token. It is sent by the API's own pages alone, commands
that carry it are taken from those, and signing out ends it wherever it was copied to.
"""

from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from tracker_service.access.cookies import session_cookie, session_of
from tracker_service.access.policy import Credentials
from tracker_service.access.roles import Caller, NotKnown
from tracker_service.access.sessions import SESSION_S
from tracker_service.http_api import schemas
from tracker_service.http_api.command_submission import Body
from tracker_service.http_api.middleware.auth import credentials_of
from tracker_service.http_api.query_context import PartsOfApp

MAX_TOKEN_CHARS: Final = 4_000

router = APIRouter(prefix="/api/session", tags=["session"])


class SignIn(Body):
    """A bearer token."""

    token: str = Field(min_length=1, max_length=MAX_TOKEN_CHARS, pattern=r"^[\x21-\x7e]+$")


class Session(BaseModel):
    """Who asks; `open` where nobody has to show who they are."""

    name: str | None
    label: str | None = Field(None, description="What people know the name by.")
    role: str | None = Field(description="viewer, operator or admin; null if not signed in.")
    access: str = Field(description="open, or by token.")


@router.get("", responses={200: {"model": Session}, **schemas.problems()})
async def get_session(request: Request, parts: PartsOfApp) -> Session:
    """Return who asks."""
    try:
        caller = await parts.policy.caller(credentials_of(request.headers))
    except NotKnown:
        return Session(name=None, role=None, access="token")
    return _session(caller, is_open=parts.policy.is_open)


@router.post("", responses={200: {"model": Session}, **schemas.problems(400)})
async def sign_in(
    request: Request, response: Response, parts: PartsOfApp, given: SignIn
) -> Session:
    """Begin a session of twelve hours for a token."""
    caller = await parts.policy.caller(Credentials(given.token))
    # A header that lies makes the cookie stricter at most.
    secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    response.set_cookie(
        session_cookie(request.headers.get("host", ""), secure=secure),
        parts.policy.sessions.begin(given.token),
        SESSION_S,
        httponly=True,
        samesite="strict",
        secure=secure,
        path="/",
    )
    return _session(caller, is_open=parts.policy.is_open)


@router.delete("", status_code=204, responses=schemas.problems())
async def sign_out(request: Request, parts: PartsOfApp) -> Response:
    """End the session, here and in every browser that has its cookie."""
    response, session_id = Response(status_code=204), session_of(request.headers)
    if session_id is not None:
        parts.policy.sessions.end(session_id)
    for secure in (True, False):
        name = session_cookie(request.headers.get("host", ""), secure=secure)
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="strict")
    return response


def _session(caller: Caller, *, is_open: bool) -> Session:
    access = "open" if is_open else "token"
    return Session(
        name=caller.name, label=caller.label, role=caller.role.name.lower(), access=access
    )
