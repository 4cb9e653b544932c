"""The door every request passes: is it from here, who sends it, does he ask too often."""

from typing import Final

import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from steplog_contracts.errors import SteplogError
from tracker_service.access.cookies import session_of
from tracker_service.access.policy import Credentials, Policy
from tracker_service.access.roles import Caller, NotAllowed, NotKnown, Role
from tracker_service.http_api.middleware.caller import IN_PROCESS_KEY, SCOPE_KEY
from tracker_service.http_api.problems import TooOften, of_error

# Pages hold nothing themselves: they ask the API, each with what its own reader has shown. What is
# not named here asks for a caller, so that a new route is closed until it is opened on purpose.
OPEN_PATHS: Final = frozenset(
    {"/", "/healthz", "/readyz", "/executions", "/pipelines", "/health", "/sign-in"}
)
OPEN_FOLDERS: Final = ("/executions/", "/static/")
SIGN_IN_PATH: Final = "/api/session"
DEFAULT_RATE_PER_S: Final = 200

# Where nobody has to show who they are; no route there asks for more.
NOBODY: Final = Caller(None, Role.VIEWER)

_log = structlog.get_logger(__name__)


class Door:
    """Lets a request through to the application, its caller noted, or answers it itself."""

    def __init__(
        self, app: ASGIApp, *, policy: Policy, rate_per_s: int = DEFAULT_RATE_PER_S
    ) -> None:
        self._app = app
        self._policy = policy
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._rate = RateLimitItemPerSecond(rate_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            try:
                scope[SCOPE_KEY] = await self._let_in(scope)
            except SteplogError as error:
                if isinstance(error, NotKnown | NotAllowed):
                    _log.info("request_refused", path=scope["path"], reason=str(error))
                await of_error(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _let_in(self, scope: Scope) -> Caller:
        headers = Headers(scope=scope)
        credentials = credentials_of(headers)
        self._policy.check_origin(scope["method"], headers, from_cookie=credentials.from_cookie)
        sender = (scope.get("client") or ("unknown",))[0]
        if scope["path"] == SIGN_IN_PATH or is_open(scope["path"]):
            await self._count(scope, sender)
            return NOBODY
        try:
            caller = await self._policy.caller(credentials)
        except NotKnown:
            # Guessing is counted too.
            await self._count(scope, sender)
            raise
        await self._count(scope, caller.name or sender)
        return caller

    async def _count(self, scope: Scope, who: str) -> None:
        if scope.get(IN_PROCESS_KEY):
            return
        if not await self._limiter.hit(self._rate, who):
            raise TooOften(
                f"More than {self._rate.amount} requests within a second; come again in the next."
            )


def is_open(path: str) -> bool:
    """Return whether a path is answered without asking who wants to know."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def credentials_of(headers: Headers) -> Credentials:
    """Return what a request shows of who sends it: a bearer token, else a page's session."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return Credentials(token.strip())
    session_id = session_of(headers)
    return Credentials(session_id, from_cookie=session_id is not None)
