"""Moments are given as people say them."""

from datetime import UTC, datetime

import pytest

from steplog.cli.inputs.times import moment_before_now
from steplog.errors import BadInput

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90s", datetime(2026, 3, 10, 11, 58, 30, tzinfo=UTC)),
        ("30m", datetime(2026, 3, 10, 11, 30, tzinfo=UTC)),
        ("2h", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        ("1.5h", datetime(2026, 3, 10, 10, 30, tzinfo=UTC)),
        ("7d", datetime(2026, 3, 3, 12, tzinfo=UTC)),
        ("2026-03-01T10:00:00+02:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T10:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_time_or_how_long_ago_is_understood(text: str, meant: datetime) -> None:
    assert moment_before_now(text, NOW) == meant


@pytest.mark.parametrize("text", ["", "yesterday", "2 hours", "-3h", "999999d", "2026-13-01"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(BadInput, match="30m, 2h, 7d"):
        moment_before_now(text, NOW)
