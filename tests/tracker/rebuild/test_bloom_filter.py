"""The filter of executions that began: never wrong about one it has seen, seldom about another."""

import pytest

from tracker_service.rebuild.bloom_filter import SeenExecutions

BITS = 1 << 23
# As many for these bits as six million are for the default ones.
EXECUTIONS = 6_000_000 * BITS // (1 << 27)
# The last of them are asked for. Half a thousandth is expected to be mistaken, 38; chance makes it
# twice as many once in a hundred million runs. (Texts are hashed under another key in each run.)
NEWCOMERS = EXECUTIONS // 5
MOST_MISTAKEN = NEWCOMERS // 1000


def mistaken(bits: int) -> int:
    """Return how many of the last newcomers a filter of so many bits takes for known."""
    seen = SeenExecutions(bits)
    for n in range(EXECUTIONS - NEWCOMERS):
        seen.add(f"execution-{n}")
    return sum(seen.add(f"newcomer-{n}") for n in range(NEWCOMERS))


def test_whoever_was_there_is_known() -> None:
    seen = SeenExecutions(1 << 16)
    ids = [f"execution-{n}" for n in range(10_000)]
    for execution_id in ids:
        seen.add(execution_id)

    assert all(seen.add(execution_id) for execution_id in ids)


def test_at_most_one_newcomer_in_a_thousand_is_taken_for_known_at_the_documented_load() -> None:
    assert mistaken(BITS) <= MOST_MISTAKEN


def test_that_bound_tells_a_filter_that_is_too_small() -> None:
    assert mistaken(BITS // 2) > MOST_MISTAKEN


@pytest.mark.parametrize("bits", [0, 4, 24, 1_000_000])
def test_other_bits_than_a_power_of_two_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        SeenExecutions(bits)
