"""Signing in from a page: a token is kept in a cookie that scripts can't read.

The cookie is sent by the API's own pages alone, and commands that carry it are taken from those.
"""

from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from tracker_service.access.policy import COOKIE, Credentials
from tracker_service.access.roles import Caller, NotKnown
from tracker_service.http_api import shapes
from tracker_service.http_api.asking import PartsOfApp
from tracker_service.http_api.door import credentials_of
from tracker_service.http_api.submitting import Body

SESSION_S: Final = 12 * 3600
MAX_TOKEN_CHARS: Final = 4_000

router = APIRouter(prefix="/api/session", tags=["session"])


class SignIn(Body):
    """A bearer token."""

    token: str = Field(min_length=1, max_length=MAX_TOKEN_CHARS, pattern=r"^[\x21-\x7e]+$")


class Session(BaseModel):
    """Who asks; `open` where nobody has to show who they are."""

    name: str | None
    role: str | None = Field(description="viewer, operator or admin; null if not signed in.")
    access: str = Field(description="open, or by token.")


@router.get("", responses={200: {"model": Session}, **shapes.problems()})
async def get_session(request: Request, parts: PartsOfApp) -> Session:
    """Return who asks."""
    try:
        caller = await parts.policy.caller(credentials_of(request.headers))
    except NotKnown:
        return Session(name=None, role=None, access="token")
    return _session(caller, is_open=parts.policy.is_open)


@router.post("", responses={200: {"model": Session}, **shapes.problems(400)})
async def sign_in(
    request: Request, response: Response, parts: PartsOfApp, given: SignIn
) -> Session:
    """Keep a token in the browser for twelve hours."""
    caller = await parts.policy.caller(Credentials(given.token))
    secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    response.set_cookie(
        COOKIE, given.token, SESSION_S, httponly=True, samesite="strict", secure=secure, path="/"
    )
    return _session(caller, is_open=parts.policy.is_open)


@router.delete("", status_code=204, responses=shapes.problems())
async def sign_out() -> Response:
    """Forget the token."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/")
    return response


def _session(caller: Caller, *, is_open: bool) -> Session:
    access = "open" if is_open else "token"
    return Session(name=caller.name, role=caller.role.name.lower(), access=access)
