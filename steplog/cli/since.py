"""Moments as people give them: a time, or how long ago."""

import re
from datetime import UTC, datetime, timedelta

from steplog.errors import BadInput

_AGO = re.compile(r"(\d{1,6})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment_before_now(text: str, now: datetime | None = None) -> datetime:
    """Return the moment meant by `30m`, `2h`, `7d`, or an ISO-8601 time, as UTC.

    A time without a zone is one of this machine's.

    Raises:
        BadInput: it is neither.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"'{text}' is no time; give one such as 2026-03-01T12:00, or how long ago: 30m, 2h, 7d."
        ) from error
