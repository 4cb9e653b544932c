"""Moments as people give them: a time, or how long ago, or in how long."""

import re
from datetime import UTC, datetime, timedelta

from steplog.errors import BadInput

_AWAY = re.compile(r"(\d{1,6})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


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
    away = _AWAY.fullmatch(text.strip())
    try:
        if away is not None:
            span = timedelta(**{_UNITS[away[2]]: int(away[1])})
            return (now or datetime.now(UTC)) + sign * span
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"'{text}' is no time; give one such as 2026-03-01T12:00, or {how}: 30m, 2h, 7d."
        ) from error
