"""Errors as problem details (RFC 9457), with `detail` the sentence for people.

A caller reads what is wrong with the request. What lies behind the API is the operator's: an error
whose class has no status here is answered by its sentence for callers, and the log gets its text.
"""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from steplog_contracts.errors import (
    AlteredPayload,
    SteplogError,
    UnwritablePayload,
    sentence_for_callers,
)
from steplog_contracts.validation_message import plain_sentence
from tracker_service.access.roles import NotAllowed, NotKnown
from tracker_service.history.as_of import NotThereYet, OnlyFromLog
from tracker_service.http_api.live.subscribers import TooManyListeners
from tracker_service.http_api.responses import Unchanged
from tracker_service.log.command_sink import TakesNoCommands
from tracker_service.log.events_log import LogNotRead, LogRemoved
from tracker_service.payload_reader import NotConfigured, PayloadGone, PayloadTooLong
from tracker_service.projections.errors import TrackerError
from tracker_service.store.dead_letters import NoSuchLetter
from tracker_service.store.errors import RowsRejected

_HEADERS_OF: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1"},
}


class NotFound(TrackerError):
    """What was asked for is not in the rows."""


class NeverBegan(NotFound):
    """No such execution: the command that was to begin it was refused."""

    def __init__(self, execution_id: str, command_id: str, code: str, message: str) -> None:
        super().__init__(
            f"Execution {execution_id} never began: its command {command_id} was refused "
            f"({code}). {message}"
        )
        self.code = code
        self.command_id = command_id


class BadQuestion(TrackerError):
    """A parameter can't be used as it is."""


class TooLarge(TrackerError):
    """A body or a command is larger than what is taken."""


class NotReady(TrackerError):
    """The API answers, but not as it is set up to."""


class TooOften(TrackerError):
    """The caller asks more often than the limit lets him."""


class NotAcknowledged(TrackerError):
    """A command without an idempotency key may be in the log or not; no advice to repeat it."""


class Refused(TrackerError):
    """The executor refused a command; the text is its own, the code for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def problem(status: int, detail: str, **more: str) -> Response:
    """Return a problem document."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    headers = _HEADERS_OF.get(status)
    return Response(
        msgspec.json.encode(body), status, headers, media_type="application/problem+json"
    )


_AWAY: Final = "What this needs can't be used at the moment; the log lines of the API say why."

# By class, the nearest ancestor counts; whatever else is wrong lies behind the API: 503.
_STATUS_OF: Final[Mapping[type[BaseException], int]] = {
    BadQuestion: 422,
    RowsRejected: 422,
    UnwritablePayload: 422,
    NotKnown: 401,
    NotAllowed: 403,
    NotFound: 404,
    NoSuchLetter: 404,
    NotThereYet: 404,
    Refused: 409,
    LogRemoved: 410,
    PayloadGone: 410,
    AlteredPayload: 410,
    OnlyFromLog: 410,
    TooLarge: 413,
    PayloadTooLong: 413,
    TooOften: 429,
    TooManyListeners: 503,
    TakesNoCommands: 503,
    LogNotRead: 503,
    NotConfigured: 503,
    NotReady: 503,
    NotAcknowledged: 504,
}

# Of one kind of error at most one line in this time.
NOTE_EVERY_S: Final = 1.0
# When each kind was noted last; there are no more entries than classes of errors.
_noted_s: dict[type[SteplogError], float] = {}

_log = structlog.get_logger(__name__)


def of_error(error: SteplogError) -> Response:
    """Return the problem document of an error with a sentence for people."""
    status = status_of(error)
    sentence = sentence_for_callers(error)
    if status is None:
        sentence = error.for_callers or _AWAY
        _note(error)
    more = {"code": error.code} if isinstance(error, Refused | NeverBegan) else {}
    if isinstance(error, NeverBegan):
        more["command_id"] = error.command_id
    return problem(status or 503, sentence, **more)


def _note(error: SteplogError) -> None:
    """Log why requests can't be answered: in an outage there are many of them, for one reason."""
    now_s, kind = time.monotonic(), type(error)
    if now_s - _noted_s.get(kind, -NOTE_EVERY_S) >= NOTE_EVERY_S:
        _noted_s[kind] = now_s
        _log.warning("not_answered", kind=kind.__name__, reason=str(error))


def status_of(error: SteplogError) -> int | None:
    """Return the status of an error about the request, None for one about what lies behind."""
    known = (_STATUS_OF[kind] for kind in type(error).__mro__ if kind in _STATUS_OF)
    return next(known, None)


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document.

    What the framework answers itself (no such path or method) is the page's to show: it asks
    `of_http` where no person looks.
    """

    @app.exception_handler(SteplogError)
    async def _known(_request: Request, error: SteplogError) -> Response:
        return of_error(error)

    @app.exception_handler(Unchanged)
    async def _unchanged(_request: Request, told: Unchanged) -> Response:
        return Response(status_code=304, headers=told.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return problem(
            422, f"{'.'.join(str(part) for part in first['loc'])}: {plain_sentence(first)}"
        )

    @app.exception_handler(Exception)
    async def _fault(_request: Request, _error: Exception) -> Response:
        # What went wrong stands in the log; a stranger need not read it.
        return problem(500, "Something went wrong here; the log of the API has it.")


def of_http(request: Request, error: HTTPException) -> Response:
    """Return the problem document of what the framework answered: no such path or method."""
    response = problem(error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        named = _methods(request) or [response.headers.get("Allow", "")]
        response.headers["Allow"] = ", ".join(named)
    return response


def _methods(request: Request) -> list[str]:
    """Return every method of a path; the framework names those of one of its routes alone."""
    matching = (
        route
        for route in request.app.state.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    )
    return sorted({method for route in matching for method in route.methods or ()})
