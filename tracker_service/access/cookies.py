"""The cookie that holds a page's session.

Browsers send a cookie to every port of a host, so its name has the port. Over https the name has
the prefix `__Host-`, which browsers take from this very host alone (RFC 6265bis, 4.1.3.2).
"""

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from tracker_service.access.addresses import host_port

_SECURE_PREFIX: Final = "__Host-"


def session_cookie(host: str, *, secure: bool) -> str:
    """Return the name of the cookie for a Host header."""
    return f"{_SECURE_PREFIX if secure else ''}steplog-{host_port(host) or 0}"


def session_of(headers: Headers) -> str | None:
    """Return the session's id that a request carries."""
    cookies, host = cookie_parser(headers.get("cookie", "")), headers.get("host", "")
    names = [session_cookie(host, secure=secure) for secure in (True, False)]
    return next((cookies[name] for name in names if cookies.get(name)), None)
