"""Errors as problem details (RFC 9457), with `detail` the sentence for people."""

from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tracker_service.events_log import LogRemoved, LogUnreachable
from tracker_service.http_api.answers import Unchanged
from tracker_service.past import NotThereYet, OnlyFromLog
from tracker_service.projections.errors import TrackerError
from tracker_service.store.errors import RowsRejected, StoreError


class NotFound(TrackerError):
    """What was asked for is not in the rows."""


class BadQuestion(TrackerError):
    """A parameter can't be used as it is."""


def problem(status: int, detail: str) -> Response:
    """Return a problem document."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return Response(msgspec.json.encode(body), status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""

    @app.exception_handler(NotFound)
    async def _not_found(_request: Request, error: NotFound) -> Response:
        return problem(404, str(error))

    @app.exception_handler(BadQuestion)
    async def _bad_question(_request: Request, error: BadQuestion) -> Response:
        return problem(422, str(error))

    @app.exception_handler(NotThereYet)
    async def _not_there_yet(_request: Request, error: NotThereYet) -> Response:
        return problem(404, str(error))

    @app.exception_handler(LogRemoved)
    @app.exception_handler(OnlyFromLog)
    async def _gone(_request: Request, error: TrackerError) -> Response:
        return problem(410, str(error))

    @app.exception_handler(LogUnreachable)
    async def _log_away(_request: Request, error: LogUnreachable) -> Response:
        response = problem(503, str(error))
        response.headers["Retry-After"] = "1"
        return response

    @app.exception_handler(Unchanged)
    async def _unchanged(_request: Request, told: Unchanged) -> Response:
        return Response(status_code=304, headers=told.headers)

    @app.exception_handler(RowsRejected)
    async def _rejected(_request: Request, error: RowsRejected) -> Response:
        return problem(422, f"A parameter holds what the database can't take: {error}")

    @app.exception_handler(StoreError)
    async def _store_away(_request: Request, error: StoreError) -> Response:
        response = problem(503, f"The read model can't answer at the moment: {error}")
        response.headers["Retry-After"] = "1"
        return response

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return problem(422, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}.")

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail))
