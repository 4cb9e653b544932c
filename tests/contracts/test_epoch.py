"""Every reader takes the same events, whoever appended late."""

from steplog_contracts.epoch import EpochRule

CLAIM = "steplog.partition.claimed.v1"
EVENT = "steplog.step.started.v1"
REFUSED = "steplog.command.refused.v1"


def test_an_event_under_the_newest_claim_is_taken() -> None:
    rule = EpochRule()

    taken = [rule.admits(0, CLAIM, None), rule.admits(1, EVENT, 0)]

    assert taken == [True, True]


def test_a_late_append_of_the_previous_owner_is_ignored() -> None:
    rule = EpochRule()
    rule.admits(0, CLAIM, None)
    rule.admits(5, CLAIM, None)

    assert not rule.admits(6, EVENT, 0)
    assert rule.admits(7, EVENT, 5)


def test_an_event_that_claims_nothing_is_taken() -> None:
    assert EpochRule(current=3).admits(9, EVENT, None)


def test_a_refusal_that_claims_nothing_is_none_where_an_executor_was_at_work() -> None:
    rule = EpochRule()

    assert rule.admits(0, REFUSED, None)
    assert rule.admits(1, CLAIM, None)
    assert not rule.admits(2, REFUSED, None)
    assert rule.admits(3, REFUSED, 1)


def test_a_log_read_from_its_middle_goes_by_the_first_epoch_it_meets() -> None:
    rule = EpochRule()

    assert rule.admits(100, EVENT, 40)
    assert not rule.admits(101, EVENT, 12)
