"""Answers: JSON with the users' own JSON text inside, and freshness in body and headers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from fastapi import Response

from contracts.envelope import format_time
from tracker_service.freshness import Freshness
from tracker_service.store.reading import Row


def answer(
    body: Mapping[str, Any], freshness: Freshness, *, satisfied: bool | None = None
) -> Response:
    """Return the body with freshness; `satisfied` tells whether a wait ended before its time."""
    told = freshness_body(freshness)
    if satisfied is not None:
        told["satisfied"] = satisfied
    response = Response(
        msgspec.json.encode({**body, "freshness": told}), media_type="application/json"
    )
    positions = ",".join(f"{p}:{offset}" for p, offset in freshness.positions().items())
    response.headers["Steplog-Position"] = positions
    response.headers["Steplog-Gap"] = str(freshness.gap)
    response.headers["Steplog-Lag-Seconds"] = f"{freshness.lag_s:.3f}"
    return response


def freshness_body(freshness: Freshness) -> dict[str, Any]:
    """Return freshness as it stands in bodies: next offset by partition, gap, lag."""
    looked_at = freshness.observed_at
    return {
        "tracker": freshness.tracker,
        "positions": freshness.positions(),
        "gap": freshness.gap,
        "lag_s": round(freshness.lag_s, 3),
        "observed_at": None if looked_at is None else format_time(looked_at),
    }


def record(row: Row) -> Row:
    """Return a row with its times as text in the one form times have."""
    return {
        name: format_time(value) if isinstance(value, datetime) else value
        for name, value in row.items()
    }
