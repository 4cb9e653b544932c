"""Moments as people type them: a time, or how long ago."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from contracts.envelope import format_time
from steplog.errors import BadInput

_AGO: Final = re.compile(r"^(\d{1,6})(s|m|h|d)$")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
FORMS: Final = "a time such as 2026-05-01T12:00, or how long ago: 90s, 15m, 2h, 3d"

AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="TIME", help=f"As it stood then: {FORMS}.")
]


def moment_of(text: str, option: str, now: datetime | None = None) -> datetime:
    """Return the moment meant; a time without a zone is one of the reader's own.

    Raises:
        BadInput: it is neither a time nor how long ago.
    """
    ago = _AGO.match(text)
    if ago is not None:
        return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{option} takes {FORMS}; {text!r} is neither.") from error


def as_of_parameter(text: str | None) -> str | None:
    """Return what the API is asked with."""
    return None if text is None else format_time(moment_of(text, "--as-of"))
