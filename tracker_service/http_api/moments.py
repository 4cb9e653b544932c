"""Moments that a request names, brought to UTC in one place."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from tracker_service.http_api.problems import BadQuestion


def brought_to_utc(time: datetime) -> datetime:
    """Return a time in UTC.

    Raises:
        ValueError: it has no form there, or databases and clients could not work with it.
    """
    try:
        found = time.astimezone(UTC)
    except OverflowError:
        found = None
    if found is None or not 1 < found.year < 9999:
        raise ValueError("a time lies in the years from 2 to 9998")
    return found


def in_utc(name: str, time: datetime) -> datetime:
    """Return a parameter's time in UTC; raises `BadQuestion` as `brought_to_utc` does."""
    try:
        return brought_to_utc(time)
    except ValueError as error:
        raise BadQuestion(f"{name} is too far away; give a year from 2 to 9998.") from error


def place_in_utc(text: str) -> datetime:
    """Return the time of a cursor, which is that of a row; raises `ValueError`."""
    time = datetime.fromisoformat(text)
    try:
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except OverflowError:
        pass
    raise ValueError(text)


def _no_number(text: object) -> object:
    """Refuse what would be taken for seconds since 1970."""
    if not isinstance(text, str) or "-" not in text[1:]:
        raise ValueError("a time is written like 2026-05-01T12:00:00Z")
    return text


Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(brought_to_utc)]
