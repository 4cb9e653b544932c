"""The pages: each asks the API and draws what it answers; problems are pages too."""

import re
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from tracker_service.http_api import problems
from tracker_service.http_api.known_parameters import Taking
from tracker_service.http_api.routes.statistics import MAX_WINDOW_S
from tracker_service.web.api_client import Api, ApiProblem
from tracker_service.web.charts import pipeline_charts
from tracker_service.web.execution_page import address_of, history_page, moment_in, step_values
from tracker_service.web.list_page import ASKED, list_page
from tracker_service.web.page_response import page
from tracker_service.web.stored_values import with_values

WINDOWS_S: Final = {"1h": 3600, "24h": 24 * 3600, "7d": 7 * 24 * 3600, "30d": 30 * 24 * 3600}
DEFAULT_WINDOW: Final = "24h"
BUCKETS: Final = 48
PAGE_EVENTS: Final = 200
# A page of ours, never another host's: one slash, then no second one.
# Printable characters alone: browsers drop tabs and line breaks before they read an address.
_OWN_PAGE: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,2000}")

# Link checkers and uptime probes ask for the head alone.
METHODS: Final = ["GET", "HEAD"]

# What a page of figures, or one about a moment of the past, reads from its address.
OF_WINDOW: Final = Depends(Taking(("window", "pipeline_id")))
THEN: Final = Depends(Taking(("at_seq", "as_of")))

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=METHODS, dependencies=[Depends(Taking(ASKED))])
async def executions(request: Request) -> Response:
    """The list of executions."""
    return page(request, "list.html", await list_page(request, Api(request)))


@router.api_route("/executions/{execution_id}", methods=METHODS, dependencies=[THEN])
async def execution(request: Request, execution_id: str) -> Response:
    """One execution."""
    return page(request, "history.html", await history_page(request, Api(request), execution_id))


@router.api_route("/executions/{execution_id}/values", methods=METHODS, dependencies=[THEN])
async def values(request: Request, execution_id: str) -> Response:
    """The input and output of one execution, opened when asked for."""
    api, base = Api(request), address_of(execution_id)
    told = await api.get(base, **moment_in(request))
    whole = await with_values(api, base, told["execution"])
    return page(request, "values.html", {"execution": whole})


@router.api_route("/executions/{execution_id}/steps/{seq}", methods=METHODS, dependencies=[THEN])
async def step(request: Request, execution_id: str, seq: int) -> Response:
    """The values of one visit to a step, opened when asked for."""
    return page(request, "step.html", await step_values(request, execution_id, seq))


@router.api_route("/executions/{execution_id}/recorded", methods=METHODS)
async def events(request: Request, execution_id: str, cursor: str | None = None) -> Response:
    """A page of recorded events, opened when asked for."""
    path = f"{address_of(execution_id)}/events"
    told = await Api(request).get(path, cursor=cursor, limit=PAGE_EVENTS)
    return page(request, "events.html", {"execution_id": execution_id, **told})


@router.api_route("/executions/{execution_id}/definition", methods=METHODS)
async def definition(request: Request, execution_id: str) -> Response:
    """The definition, opened when asked for."""
    told = await Api(request).get(f"{address_of(execution_id)}/definition")
    return page(request, "definition.html", {"definition": told["definition"]})


@router.api_route(
    "/pipelines", methods=METHODS, dependencies=[Depends(Taking(("window", "pipeline_id")))]
)
async def pipelines(request: Request) -> Response:
    """Every pipeline's figures over a window, and the steps of one."""
    api, chosen = Api(request), request.query_params.get("window", DEFAULT_WINDOW)
    window_s = WINDOWS_S.get(chosen, WINDOWS_S[DEFAULT_WINDOW])
    of = request.query_params.get("pipeline_id")
    path = "/api/statistics/pipelines"
    whole = await api.get(path, window_s=window_s, bucket_s=MAX_WINDOW_S)
    course = await api.get(path, window_s=window_s, bucket_s=window_s // BUCKETS)
    steps = (
        await api.get("/api/statistics/steps", window_s=window_s, pipeline_id=of) if of else None
    )
    found: dict[str, Any] = {
        "title": "Pipelines",
        "charts": pipeline_charts(whole, course),
        "complete": whole["complete"],
        "looked_at": whole["looked_at"],
        "steps": steps["items"] if steps else None,
        "of": of,
        "window": chosen if chosen in WINDOWS_S else DEFAULT_WINDOW,
        "windows": list(WINDOWS_S),
        "freshness": whole["freshness"],
    }
    return page(request, "pipelines.html", found)


@router.api_route("/health", methods=METHODS)
async def health(request: Request) -> Response:
    """Lag by partition, dead letters, drift, rebuilds."""
    api = Api(request)
    told = await api.get("/api/freshness")
    letters = await api.get("/api/dead-letters")
    found = {
        "title": "Health",
        "partitions": told["partitions"],
        "freshness": told["freshness"],
        "letters": letters["items"],
        "care": {
            "drift": (await api.get("/api/drift"))["drift"],
            "rebuild": (await api.get("/api/rebuild"))["rebuild"],
        },
    }
    return page(request, "health.html", found)


@router.api_route("/sign-in", methods=METHODS)
async def sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002 - in the address
    """Where a token is given, if access asks for one."""
    own = next if _OWN_PAGE.fullmatch(next) else "/"
    return page(request, "sign_in.html", {"title": "Sign in", "next": own})


@router.api_route("/executions", methods=METHODS)
async def list_by_another_name() -> Response:
    """The list lives at the root."""
    return RedirectResponse("/")


async def show_problem(request: Request, problem: Exception) -> Response:
    """Show a person what the API refused, in its own words."""
    assert isinstance(problem, ApiProblem)
    if problem.status == HTTPStatus.UNAUTHORIZED and "fragment" not in request.query_params:
        query = f"?{request.url.query}" if request.url.query else ""
        wanted = quote(request.url.path + query, safe="")
        return RedirectResponse(f"/sign-in?next={wanted}", HTTPStatus.SEE_OTHER)
    missing = problem.status == HTTPStatus.NOT_FOUND
    title = "Not found" if missing else "This can't be shown"
    found = {"title": title, "problem": problem, "freshness": None}
    return page(request, "problem.html", found, problem.status)


async def show_missing(request: Request, error: Exception) -> Response:
    """Show a person who typed an address that is no page's what there is instead."""
    assert isinstance(error, HTTPException)
    is_page = not request.url.path.startswith("/api") and error.status_code == HTTPStatus.NOT_FOUND
    if not is_page or "text/html" not in request.headers.get("accept", ""):
        return problems.of_http(request, error)
    detail = f"There is no page {request.url.path}; the list of executions leads everywhere."
    found = {"title": "Not found", "problem": ApiProblem(404, detail), "freshness": None}
    return page(request, "problem.html", found, HTTPStatus.NOT_FOUND)
