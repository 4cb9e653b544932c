"""The list of executions: filters in the address, counts beside, any moment of the past."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request

from steplog_contracts.records import ExecutionStatus
from tracker_service.web.api_client import Api

PAGE_ROWS: Final = 50
# What the API takes by these very names.
_FILTERS: Final = (
    "pipeline_id", "error", "started_after", "started_before", "min_duration_ms",
    "max_duration_ms", "waiting",
)  # fmt: skip
_PLACE: Final = ("sort", "order", "cursor")
_METADATA: Final = "metadata."
# All that the address of the list may ask.
ASKED: Final = (
    *_FILTERS, *_PLACE, "as_of", "status", _METADATA, "metadata_key", "metadata_text",
)  # fmt: skip


async def list_page(request: Request, api: Api) -> dict[str, Any]:
    """Return what the list's template draws."""
    asked = asked_in(request)
    filters = {name: value for name, value in asked.items() if name not in ("cursor", "status")}
    listed = await api.ask("/api/executions", {**asked, "limit": PAGE_ROWS, "brief": "true"})
    counted = await api.ask(
        "/api/counts", {k: v for k, v in filters.items() if k not in ("sort", "order")}
    )
    pipelines = await api.get("/api/pipelines")
    return {
        "title": "Executions",
        "items": listed["items"],
        "may_act": "as_of" not in asked and await api.may_act(),
        "freshness": listed["freshness"],
        "counts": counted,
        "statuses": [status.value for status in ExecutionStatus],
        "pipelines": pipelines["items"],
        "chosen": asked.get("status", []),
        "filters": filters,
        "as_of": asked.get("as_of"),
        "past": listed.get("past"),
        "next": _address(asked, cursor=listed["next_cursor"]) if listed["next_cursor"] else None,
        "first": _address(asked, cursor=None) if "cursor" in asked else None,
        "address_with": lambda **changed: _address(asked, cursor=None, **changed),
        "stream": None if "as_of" in asked else _stream(asked, listed["freshness"]),
    }


def asked_in(request: Request) -> dict[str, Any]:
    """Return the page's query as the API takes it; empty fields of the form are left out."""
    query = request.query_params
    asked: dict[str, Any] = {
        name: query[name] for name in (*_FILTERS, *_PLACE, "as_of") if query.get(name)
    }
    statuses = [status for status in query.getlist("status") if status]
    if statuses:
        asked["status"] = statuses
    metadata = {k: v for k, v in query.items() if k.startswith(_METADATA) and v}
    return {**asked, **metadata, **_one_metadata(query)}


def _one_metadata(query: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata filter of the form: a field for the key and one for the text."""
    key, text = query.get("metadata_key", ""), query.get("metadata_text", "")
    return {f"{_METADATA}{key}": text} if key and text else {}


def _stream(asked: Mapping[str, Any], freshness: Mapping[str, Any]) -> str:
    """Return where changes of this list are told, from what is shown on.

    The stream knows waiting executions by their status.
    """
    wanted = {name: value for name, value in asked.items() if name not in (*_PLACE, "waiting")}
    if "waiting" in asked:
        wanted["status"] = ["waiting_for_human"]
    wanted["after"] = ",".join(f"{p}:{offset}" for p, offset in freshness["positions"].items())
    return f"/api/executions/stream?{urlencode(wanted, doseq=True)}"


def _address(asked: Mapping[str, Any], **changed: Any) -> str:
    together = {**asked, **changed}
    given = {name: value for name, value in together.items() if value not in (None, "", [])}
    return f"/?{urlencode(given, doseq=True)}" if given else "/"
