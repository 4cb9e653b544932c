"""Answers: JSON with the users' own JSON text inside, and freshness in body and headers."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from fastapi import Request, Response
from msgspec import Raw

from steplog_contracts.data_ref import keys_of
from steplog_contracts.envelope import format_time
from steplog_contracts.stored_value import marked
from tracker_service.projections.errors import TrackerError
from tracker_service.store.freshness import Freshness
from tracker_service.store.queries import Row


def answer(
    body: Mapping[str, Any],
    freshness: Freshness,
    *,
    satisfied: bool | None = None,
    tag: str | None = None,
) -> Response:
    """Return the body with freshness; `satisfied` tells whether a wait ended before its time.

    With a tag the caller may keep the answer and ask whether it still holds.
    """
    told = freshness_body(freshness)
    if satisfied is not None:
        told["satisfied"] = satisfied
    response = Response(
        msgspec.json.encode({**body, "freshness": told}), media_type="application/json"
    )
    response.headers.update(freshness_headers(freshness))
    response.headers["Cache-Control"] = "no-store" if tag is None else "private, no-cache"
    if tag is not None:
        response.headers["ETag"] = tag
    return response


def accepted(body: Mapping[str, Any], freshness: Freshness | None) -> Response:
    """Return 202: a command is in the log, also where nobody can tell how fresh the rows are."""
    if freshness is not None:
        response = answer(body, freshness)
    else:
        told = msgspec.json.encode({**body, "freshness": None})
        response = Response(told, media_type="application/json")
        response.headers["Cache-Control"] = "no-store"
    response.status_code = 202
    return response


class Unchanged(TrackerError):
    """The caller has the answer already; it is told so, and how fresh that is."""

    def __init__(self, tag: str, freshness: Freshness) -> None:
        super().__init__("Nothing changed.")
        self.headers = {**freshness_headers(freshness), "ETag": tag}


def has_already(request: Request, tag: str) -> bool:
    """Return whether the caller has the answer of that tag."""
    known = request.headers.get("if-none-match", "").split(",")
    return tag in (one.strip() for one in known)


def tag_of(execution: Row) -> str:
    """Return the tag of all that is told of an execution; each event of it makes a new one.

    Weak: the freshness beside it moves on, the content does not.
    """
    return f'W/"{execution["seq"]}-{execution["position"]}-{int(execution["incomplete"])}"'


def freshness_headers(freshness: Freshness) -> dict[str, str]:
    """Return freshness as it stands in headers."""
    return {
        "Steplog-Position": position_text(freshness.positions()),
        "Steplog-Gap": str(freshness.gap),
        "Steplog-Lag-Seconds": f"{freshness.lag_s:.3f}",
    }


def position_text(positions: Mapping[str, int]) -> str:
    """Return `partition:next offset` of each partition, separated by commas."""
    return ",".join(f"{partition}:{offset}" for partition, offset in positions.items())


def freshness_body(freshness: Freshness) -> dict[str, Any]:
    """Return freshness as it stands in bodies: next offset by partition, gap, lag."""
    looked_at = freshness.observed_at
    return {
        "tracker": freshness.tracker,
        "log_lost": freshness.lost_reason,
        "positions": freshness.positions(),
        "gap": freshness.gap,
        "lag_s": round(freshness.lag_s, 3),
        "observed_at": None if looked_at is None else format_time(looked_at),
    }


def record(row: Row) -> Row:
    """Return a row with its times as text in the one form times have, and with a mark in the place
    of each value that is stored apart."""
    told = {
        name: format_time(value) if isinstance(value, datetime) else value
        for name, value in row.items()
    }
    return told if told.get("references") is None else _marked(told)


def marked_payload(text: Raw) -> Raw:
    """Return an event's payload as JSON text, with such marks where it refers to stored values."""
    if b'"references"' not in bytes(text):
        return text
    payload = _loaded(text)
    references = payload.get("references") if isinstance(payload, dict) else None
    return _dumped(marked(payload, references)) if isinstance(references, dict) else text


def _marked(row: Row) -> Row:
    references = _loaded(row["references"])
    fields = {keys_of(place)[0] for place in references} & row.keys()
    here = marked({name: _loaded(row[name]) for name in fields}, references)
    return row | {name: _dumped(value) for name, value in here.items()}


def _loaded(value: Any) -> Any:
    return json.loads(bytes(value)) if isinstance(value, Raw) else value


def _dumped(value: Any) -> Raw:
    # The standard library's: users' numbers have any number of digits.
    return Raw(json.dumps(value).encode())
