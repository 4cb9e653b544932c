"""What an answer says of the worker that keeps rows fresh."""

from datetime import UTC, datetime, timedelta

import pytest

from tracker_service.store.freshness import Freshness, PartitionFreshness

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds_ago", "tracker"), [(0, "fresh"), (5, "fresh"), (9, "fresh"), (11, "away")]
)
def test_a_look_that_took_its_time_is_no_sign_of_death(seconds_ago: int, tracker: str) -> None:
    looked_at = NOW - timedelta(seconds=seconds_ago)
    partition = PartitionFreshness(0, 5, 5, looked_at, looked_at, looked_at)

    assert Freshness(NOW, [partition]).tracker == tracker


def test_meanwhile_the_lag_says_since_when_nobody_knows_better() -> None:
    looked_at = NOW - timedelta(seconds=5)
    partition = PartitionFreshness(0, 5, 5, looked_at, looked_at, looked_at)

    assert partition.lag_s(NOW) == 5.0
