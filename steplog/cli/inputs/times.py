"""Times and durations as people give them: `200ms`, `30m`, `7d`, or an ISO-8601 time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from steplog.errors import BadInput

_DURATION: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)")
_UNIT_MS: Final = {"ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6, "d": 8.64e7}

AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="As it stood then: a time such as 2026-05-01T12:00, or how long ago: 15m, 2h, 3d.",
    ),
]


def milliseconds(text: str) -> float:
    """Return a duration such as `200ms`, `1.5s`, `10m`, `2h`; raise `BadInput` for what is none."""
    found = _milliseconds(text)
    if found is None:
        raise BadInput(f"'{text}' is no duration; give one such as 200ms, 1.5s, 10m or 2h.")
    return found


def time_parameter(text: str | None) -> str | None:
    """Return what the API is asked with for `moment_before_now`, None where nothing is given."""
    return None if text is None else moment_before_now(text).isoformat()


def moment_before_now(text: str, now: datetime | None = None) -> datetime:
    """Return the moment meant by `30m`, `2h`, `7d`, or an ISO-8601 time, as UTC.

    A time without a zone is one of this machine's.

    Raises:
        BadInput: it is neither.
    """
    return _moment(text, now, -1, "how long ago")


def moment_from_now(text: str, now: datetime | None = None) -> datetime:
    """Return the moment meant by `30m`, `2h`, `7d` from now, or an ISO-8601 time, as UTC.

    Raises:
        BadInput: it is neither.
    """
    return _moment(text, now, 1, "in how long")


def _moment(text: str, now: datetime | None, sign: int, how: str) -> datetime:
    away_ms = _milliseconds(text)
    try:
        if away_ms is not None:
            return (now or datetime.now(UTC)) + sign * timedelta(milliseconds=away_ms)
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"'{text}' is no time; give one such as 2026-03-01T12:00, or {how}: 30m, 2h, 7d."
        ) from error


def _milliseconds(text: str) -> float | None:
    found = _DURATION.fullmatch(text.strip())
    return None if found is None else float(found[1]) * _UNIT_MS[found[2]]
