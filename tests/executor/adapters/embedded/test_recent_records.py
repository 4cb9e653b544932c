"""The newest records in memory are exactly those written, or none where the file must be asked."""

from hypothesis import given
from hypothesis import strategies as st

from executor_service.adapters.embedded.recent_records import RecentRecords, StoredRecord

SIZES = st.lists(st.integers(1, 7), max_size=30)


def written(sizes: list[int], recent: RecentRecords) -> list[StoredRecord]:
    """Write so many records at a time and return all of them."""
    everything: list[StoredRecord] = []
    for size in sizes:
        base = len(everything)
        some = [StoredRecord(base + n, b"k", b"v", []) for n in range(size)]
        recent.add(some)
        everything += some
    return everything


@given(SIZES, st.integers(0, 250), st.integers(1, 50), st.integers(1, 40))
def test_a_range_is_what_was_written_or_nothing(
    sizes: list[int], start: int, count: int, bound: int
) -> None:
    recent = RecentRecords(max_records=bound)
    everything = written(sizes, recent)
    start = min(start, max(0, len(everything) - 1))

    found = recent.read(start, count)

    assert found is None or found == everything[start : start + count]


@given(SIZES, st.integers(1, 40))
def test_no_more_is_kept_than_the_bound_and_always_the_newest(sizes: list[int], bound: int) -> None:
    recent = RecentRecords(max_records=bound)
    everything = written(sizes, recent)

    kept = next(
        (found for start in range(len(everything)) if (found := recent.read(start, 10**6))), []
    )

    assert len(kept) <= bound
    assert kept == everything[len(everything) - len(kept) :]
    assert kept or not everything or sizes[-1] > bound


def test_large_records_are_bounded_by_their_bytes() -> None:
    recent = RecentRecords(max_bytes=10_000)
    for offset in range(10):
        recent.add([StoredRecord(offset, b"k", b"x" * 4_000, [])])

    assert recent.read(7, 1) is None
    assert recent.read(8, 5) is not None
