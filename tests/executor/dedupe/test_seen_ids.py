"""The compact memory of ids: nothing within its bounds is forgotten, and it stays within them."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from executor_service.dedupe.log_search import Question, neighbours
from executor_service.dedupe.seen_ids import (
    GENERATIONS,
    SeenIds,
    chunk_of,
    command_digest,
    execution_digest,
)
from steplog_contracts.seen_record import CHUNK_EVENTS, decode_seen, encode_seen

NOW = datetime(2026, 1, 1, tzinfo=UTC)
# Small numbers collide in the table's places, large ones differ only in their high halves.
DIGESTS = st.integers(0, 40) | st.integers(0, 2**64 - 1) | st.sampled_from([2**40, 2**41, 2**63])


@given(st.lists(st.tuples(DIGESTS, st.integers(0, 10**9))))
def test_an_id_is_looked_for_no_later_than_where_it_was_put_first(
    put: list[tuple[int, int]],
) -> None:
    seen = SeenIds(NOW)
    for digest, floor in put:
        seen.put(digest, floor)

    for digest, _ in put:
        first = min(floor for other, floor in put if other == digest)
        search_offset = seen.search_offset(digest)
        assert search_offset is not None
        assert first - CHUNK_EVENTS < search_offset <= first


@given(st.sets(DIGESTS), DIGESTS)
def test_what_was_never_put_down_is_never_seen(put: set[int], other: int) -> None:
    seen = SeenIds(NOW)
    for digest in put - {other}:
        seen.put(digest, 0)

    assert seen.search_offset(other) is None


def test_executions_and_commands_of_one_name_are_two_ids() -> None:
    assert execution_digest("a") != command_digest("a")


def test_a_full_memory_forgets_the_oldest_and_says_so() -> None:
    seen = SeenIds(NOW, max_ids=4_000)
    with capture_logs() as lines:
        for number in range(10_000):
            seen.put(execution_digest(str(number)), number)

    assert seen.search_offset(execution_digest("0")) is None
    assert all(
        seen.search_offset(execution_digest(str(n))) is not None for n in range(7_000, 10_000)
    )
    assert seen.count <= 4_000
    assert seen.forgotten_early == lines[-1]["forgotten_early"] == 7_000


def test_an_id_is_remembered_for_the_window_and_not_for_ever() -> None:
    seen = SeenIds(NOW, window=timedelta(hours=24))
    seen.put(1, 0)
    ages = [hour for hour in range(1, 60) if _remembered(seen, NOW + timedelta(hours=hour))]

    assert ages == list(range(1, ages[-1] + 1))
    assert 24 <= ages[-1] <= 24 * GENERATIONS / (GENERATIONS - 1)


def _remembered(seen: SeenIds, now: datetime) -> bool:
    seen.age(now)
    return seen.search_offset(1) is not None


def test_what_is_unsaved_holds_the_offset_that_a_commit_may_claim() -> None:
    seen = SeenIds(NOW)
    seen.put(1, 70)
    seen.put(2, 90)

    assert seen.saved_through(100) == 70
    seen.saved(1, 0, 0)
    assert seen.saved_through(100) == 90
    seen.saved(1, 0, 1)
    assert seen.saved_through(100) == 100


@given(st.lists(st.tuples(DIGESTS, st.integers(1, 2**32 - 1))), st.lists(st.integers(0, 2**62)))
def test_a_saved_record_reads_back_as_it_was(
    entries: list[tuple[int, int]], claims: list[int]
) -> None:
    record = encode_seen(entries, claims, record_id="r", source="/test", time=NOW)

    read = decode_seen(record.value, record.headers)

    assert (list(read.entries), list(read.claims), read.time) == (entries, claims, NOW)


async def test_questions_about_one_stretch_of_the_log_share_a_read() -> None:
    far = 100 * CHUNK_EVENTS
    asked = [Question(search_offset) for search_offset in (far, 0, CHUNK_EVENTS, far + 1)]

    groups = neighbours(asked)

    assert [[q.search_offset for q in group] for group in groups] == [
        [0, CHUNK_EVENTS],
        [far, far + 1],
    ]


def test_the_chunk_of_an_offset_is_never_the_empty_place() -> None:
    assert (chunk_of(0), chunk_of(CHUNK_EVENTS - 1), chunk_of(CHUNK_EVENTS)) == (1, 1, 2)


def test_a_claim_the_log_does_not_have_any_more_gives_way_to_those_it_has() -> None:
    """Saved before the log lost it, it would make a reader pass over the proof of a repeat."""
    seen = SeenIds(datetime(2026, 1, 1, tzinfo=UTC))
    seen.add_claims([3, 90], saved=True)

    seen.forget_claims(50)
    seen.add_claims([60], saved=False)

    assert (seen.epoch_at(40), seen.epoch_at(95)) == (3, 60)
