"""A rebuild's rows are those of one clean pass, however little it may remember.

Property: for any log with repeats, holes, poison, stale records and executions that never end, read
in runs of any length, with room for any number of open executions and a Bloom filter that is wrong
as often as one likes, by the fold or the short way, building and mending make the rows and dead
letters of a fold that forgets nothing, and hand on no final row twice. COPY, indexes and the swap
are tested on a real database in tests/rebuild.
"""

import asyncio

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.verification.rebuild_world import Made, expected, rebuilt
from tests.verification.tracker_world import LOGS, written
from tracker_service.rebuild import partition_fold

Moves = list[tuple[int, str, int, int, int]]


BEGUN: Moves = [(0, "start", 0, 0, 0), (0, "start", 0, 0, 0)]


def judge(
    moves: Moves, run: int, max_open: int, bits: int, short_way: bool
) -> tuple[Made, Made, list[str]]:
    """Return the rows there are, the rows there must be, and final rows that came twice."""
    entries = written(moves)[0]
    wanted, aside = expected(entries)
    made, twice = asyncio.run(
        rebuilt(entries, aside, run=run, max_open=max_open, bits=bits, short_way=short_way)
    )
    return made, wanted, twice


# Two executions in one partition: they meet accidents more often than six in two.
_CROWDED = LOGS.map(lambda moves: [(0, move, which % 2, *rest) for _, move, which, *rest in moves])


@pytest.mark.parametrize("short_way", [False, True], ids=["by the fold", "the short way"])
@settings(max_examples=400, deadline=None)
@given(
    moves=_CROWDED,
    run=st.integers(1, 30),
    max_open=st.integers(0, 3),
    bits=st.sampled_from([8, 64, 1 << 20]),
)
@example(moves=[*BEGUN, (0, "end", 0, 0, 0), (0, "poison", 0, 0, 0)], run=1, max_open=1, bits=64)
@example(moves=[*BEGUN, (0, "poison", 0, 0, 0), (0, "end", 0, 0, 0)], run=1, max_open=0, bits=8)
@example(moves=[*BEGUN, (0, "hole", 0, 0, 0), (0, "start", 0, 0, 0)], run=2, max_open=0, bits=8)
def test_rows_are_those_of_one_clean_pass(
    moves: Moves, run: int, max_open: int, bits: int, short_way: bool
) -> None:
    made, wanted, twice = judge(moves, run, max_open, bits, short_way)

    assert made == wanted
    assert twice == []


def test_the_harness_finds_a_build_that_forgets_who_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, an execution begun again after its end would have a second row."""
    monkeypatch.setattr(partition_fold.SeenExecutions, "add", lambda _self, _name: False)
    moves: Moves = [(0, "start", 0, 0, 0), (0, "end", 0, 0, 0)]
    entries = written(moves)[0]
    again = [*entries, *(e for e in written(moves)[0][1:])]
    renumbered = [type(e)(n, e.key, e.value, e.headers) for n, e in enumerate(again)]
    wanted, aside = expected(renumbered)

    made, twice = asyncio.run(rebuilt(renumbered, aside, run=1, max_open=3, bits=1 << 20))

    assert twice or made != wanted
