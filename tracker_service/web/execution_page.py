"""One execution: its flow, what happened when, its values, questions, events and relatives."""

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request

from tracker_service.http_api.flow_graph import graph
from tracker_service.web.api_client import Api, ApiProblem
from tracker_service.web.flow_layout import lay_out
from tracker_service.web.stored_values import with_values
from tracker_service.web.timeline import timeline

FINAL: Final = frozenset({"completed", "failed", "cancelled"})
SHOWN_ELSEWHERE: Final = FINAL | {"log_lost", "tracker_away", "rows_behind", "step_runs"}
# What can be shown of each step at once; more is opened a step at a time anyway.
MAX_STEPS: Final = 2_000


async def history_page(request: Request, api: Api, execution_id: str) -> dict[str, Any]:
    """Return what the template of one execution draws, now or as it stood."""
    base, then = address_of(execution_id), moment_in(request)
    now = await api.get(base)
    stood = await api.get(base, **then) if then else None
    told = await (_past(api, base, stood) if stood else _present(api, base))
    execution = (stood or now)["execution"]
    return {
        "title": execution["pipeline_name"] or execution_id,
        "execution": execution,
        "freshness": now["freshness"],
        "newest_seq": now["execution"]["seq"],
        "past": stood["past"] if stood else None,
        "ended": execution["status"] in FINAL,
        "graph": told["graph"],
        "waits": told["waits"],
        "layout": lay_out(told["graph"]),
        "timeline": timeline(told["timeline"], _until(told, stood)),
        "reasons": [] if stood else await _reasons(api, base, execution),
        "may_act": stood is None and await api.may_act(),
        "relatives": await api.get(f"{base}/relatives"),
    }


def address_of(execution_id: str) -> str:
    """Return where the API has an execution, whatever characters its id has."""
    return f"/api/executions/{quote(execution_id, safe='')}"


def moment_in(request: Request) -> dict[str, str]:
    """Return the moment asked about, `at_seq` or `as_of`; nothing means now."""
    query = request.query_params
    return {name: query[name] for name in ("at_seq", "as_of") if query.get(name)}


async def step_values(request: Request, execution_id: str, seq: int) -> dict[str, Any]:
    """Return one visit to a step with its values, now or as they stood.

    Raises:
        ApiProblem: there is no such visit.
    """
    api, base, then = Api(request), address_of(execution_id), moment_in(request)
    one_step: dict[str, Any] = {"after_seq": seq - 1, "limit": 1}
    page = await api.get(f"{base}/steps", **(then or one_step))
    step = next((one for one in page["items"] if one["seq"] == seq), None)
    if step is None:
        raise ApiProblem(404, f"Execution {execution_id} has no step that began at event {seq}.")
    attempts = [] if then else (await api.get(f"{base}/attempts"))["items"]
    key = (step["step_id"], step["iteration"])
    failed = [one for one in attempts if (one["step_id"], one["iteration"]) == key]
    return {"step": await with_values(api, base, step), "attempts": failed}


async def _present(api: Api, base: str) -> dict[str, Any]:
    told = await api.get(f"{base}/timeline")
    return {"graph": await api.get(f"{base}/graph"), "timeline": told, "waits": told["waits"]}


async def _past(api: Api, base: str, stood: dict[str, Any]) -> dict[str, Any]:
    """Draw from the execution's steps as they stood; failed attempts are told with the present."""
    steps = stood["steps"][:MAX_STEPS]
    drawn = {
        "started_at": stood["execution"]["started_at"],
        "completed_at": stood["execution"]["completed_at"],
        "visits": steps,
        "attempts": [],
        "waits": stood["interactions"],
    }
    return {
        "graph": graph(await _definition(api, base), steps),
        "timeline": drawn,
        "waits": stood["interactions"],
    }


async def _reasons(api: Api, base: str, execution: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what it waits for; how fresh rows are and how it ended stand on the page anyway."""
    if execution["status"] in FINAL and not execution["incomplete"]:
        return []  # Nothing is left to be said, so the API is not asked for its steps again.
    found = (await api.get(f"{base}/why"))["reasons"]
    return [one for one in found if one["code"] not in SHOWN_ELSEWHERE]


async def _definition(api: Api, base: str) -> Any:
    try:
        return (await api.get(f"{base}/definition"))["definition"]
    except ApiProblem:
        return None  # Recorded without one: the visited steps alone are drawn.


def _until(told: dict[str, Any], stood: dict[str, Any] | None) -> datetime:
    """Return where bars of what has not ended reach to: now, or the moment asked about."""
    times = [visit["completed_at"] or visit["started_at"] for visit in told["timeline"]["visits"]]
    newest = max((datetime.fromisoformat(time) for time in times if time), default=None)
    ended = told["timeline"]["completed_at"]
    if ended is not None and newest is not None:
        return max(newest, datetime.fromisoformat(ended))
    if stood is None:
        return datetime.now(UTC)
    as_of = stood["past"]["as_of"]
    return newest or datetime.now(UTC) if as_of is None else datetime.fromisoformat(as_of)
