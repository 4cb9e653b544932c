"""The judge of `make chaos-cluster` finds each planted fault, and nothing in a sound run."""

import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.e2e.chaos_steps import LINEAR
from tests.e2e.cluster_log import Fact, Rows, facts_of, fold, histories_of
from tests.e2e.cluster_verdict import (
    Look,
    Struck,
    Try,
    Verdict,
    Wait,
    figures_of,
    judge_lines,
    judge_log,
    judge_looks,
    judge_rows,
    judge_tries,
)

STEPS = ("a", "b", "c")
KILLED = Struck("executor killed", 100.0, 104.0, 112.0, kills_one=True)
Change = Callable[[list[Fact]], Sequence[Fact]]


def event(seq: int, kind: str, step: str = "", **body: Any) -> Fact:
    """Return an event of the execution e."""
    told = {"step_id": step, "iteration": 1, **body} if step else body
    return Fact(0, seq, f"steplog.{kind}.v1", "e", seq, told)


def numbered(facts: Sequence[Fact]) -> list[Fact]:
    """Return the events with the numbers of their places."""
    return [fact._replace(seq=seq, offset=seq) for seq, fact in enumerate(facts, 1)]


def sound() -> list[Fact]:
    """Return the history of a linear execution."""
    middle = [
        event(0, f"step.{what}", step, output={"by": step})
        for step in STEPS
        for what in ("started", "completed")
    ]
    return numbered([event(0, "execution.started"), *middle, event(0, "execution.completed")])


def record(offset: int, kind: str, epoch: int | None, **more: Any) -> SimpleNamespace:
    """Return a record as a consumer gets it."""
    headers = [("ce_type", f"steplog.{kind}.v1".encode()), ("ce_subject", b"e")]
    headers += [("ce_sequence", str(more.pop("seq", 1)).encode())]
    if epoch is not None:
        headers.append(("ce_writerepoch", str(epoch).encode()))
    return SimpleNamespace(offset=offset, value=json.dumps(more).encode(), headers=headers)


def test_what_a_former_owner_appends_late_does_not_count() -> None:
    records = [
        record(0, "partition.claimed", None, seq=0),
        record(1, "execution.started", 0),
        record(2, "partition.claimed", None, seq=0),
        record(3, "step.started", 0, seq=2, step_id="late"),
        record(4, "step.started", 2, seq=2, step_id="rightful"),
    ]

    assert [fact.offset for fact in facts_of(0, records)] == [1, 4]
    assert len(histories_of({0: records})["e"]) == 2


def test_nothing_is_wrong_with_a_sound_history_its_rows_and_its_lines() -> None:
    history = {"e": sound()}
    lines = [f"e:{step}:1 10 1.0" for step in STEPS]
    verdict = judge_log(history, {"e": LINEAR})
    verdict.add(judge_rows({"e": fold(history["e"])}, history))
    verdict.add(judge_lines(lines, history, ["e"]))

    assert verdict == Verdict()


@pytest.mark.parametrize(
    ("figure", "change"),
    [
        ("lost", lambda facts: []),
        ("lost", lambda facts: facts[:-1]),
        ("lost", lambda facts: [*facts[:-1], event(0, "execution.failed")]),
        ("lost", lambda facts: [*facts, facts[-1]]),
        ("lost", lambda facts: [facts[0], *facts]),
        ("duplicate_completions", lambda facts: [*facts[:3], facts[2], *facts[3:]]),
        ("early_starts", lambda facts: [facts[0], facts[3], *facts[1:3], *facts[4:]]),
    ],
)
def test_a_fault_planted_in_the_log_is_found(figure: str, change: Change) -> None:
    planted = {"e": numbered(change(sound()))}

    assert getattr(judge_log(planted, {"e": LINEAR}), figure)


def test_a_number_left_out_is_an_event_that_was_lost() -> None:
    history = sound()
    del history[4]

    assert judge_log({"e": history}, {"e": LINEAR}).lost


def test_an_execution_that_nobody_asked_for_is_found() -> None:
    assert judge_log({"e": sound()}, {}).lost


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"e": Rows("completed", 7, fold(sound()).steps)},
        {"e": Rows("failed", 8, fold(sound()).steps)},
        {"e": Rows("completed", 8, {})},
        {"e": Rows("completed", 8, {(step, 1): ("completed", {}) for step in STEPS})},
        {"e": fold(sound()), "made up": fold(sound())},
    ],
)
def test_rows_that_are_not_what_the_log_says_are_found(rows: dict[str, Rows]) -> None:
    assert len(judge_rows(rows, {"e": sound()}).rows_that_differ) == 1


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["e:a:1 10 1.0", "e:b:1 10 1.1", "e:b:1 11 1.2", "e:c:1 10 1.3"], "early_starts"),
        (["e:a:1 10 1.0", "e:b:1 10 1.1"], "lost"),
    ],
)
def test_runs_without_record_and_results_without_runs_are_found(
    lines: list[str], found: str
) -> None:
    assert getattr(judge_lines(lines, {"e": sound()}, ["e"]), found)


@pytest.mark.parametrize(
    ("began_s", "problem", "stuck"),
    [
        (101.0, "no leader", 0),
        (112.0, "no leader", 0),
        (120.0, "no leader", 1),
        (120.0, None, 0),
        (90.0, "no leader", 1),
    ],
)
def test_who_fails_when_nothing_is_away_is_stuck(
    began_s: float, problem: str | None, stuck: int
) -> None:
    tries = [Try("client", began_s, began_s + 1, problem)] * 2

    assert len(judge_tries(tries, [KILLED]).stuck_producers) == stuck


def looks_at(*told: tuple[float, str, float, int, int]) -> list[Look]:
    """Return looks: moment, tracker, lag, position, end."""
    return [
        Look(at, tracker, 0, lag, {0: position}, {0: end}, {0: end})
        for at, tracker, lag, position, end in told
    ]


@pytest.mark.parametrize(
    ("told", "gaps"),
    [
        # Behind for a moment; behind for long; said so; fresh by a look that is old and says so.
        ([(0.0, "fresh", 0.0, 5, 9), (4.0, "fresh", 0.0, 5, 9)], 0),
        ([(0.0, "fresh", 0.0, 5, 9), (6.0, "fresh", 0.0, 5, 9)], 1),
        ([(0.0, "behind", 6.0, 5, 9), (6.0, "behind", 12.0, 5, 9)], 0),
        ([(0.0, "fresh", 0.0, 5, 9), (9.0, "fresh", 9.0, 5, 9)], 0),
        ([(0.0, "fresh", 0.0, 5, 9), (13.0, "fresh", 13.0, 5, 9)], 1),
        ([(0.0, "fresh", 0.0, 9, 9), (6.0, "fresh", 0.0, 9, 10)], 0),
        # Beyond the end: for a moment, as by a new leader; for long; said so.
        ([(0.0, "fresh", 0.0, 9, 8), (2.0, "fresh", 0.0, 9, 9)], 0),
        ([(0.0, "fresh", 0.0, 9, 5), (4.0, "fresh", 0.0, 9, 5)], 1),
        ([(0.0, "fresh", 0.0, 9, 5), (4.0, "log_lost_records", 4.0, 9, 5)], 0),
    ],
)
def test_rows_called_fresh_that_are_not_are_a_silent_gap(
    told: list[tuple[float, str, float, int, int]], gaps: int
) -> None:
    assert len(judge_looks(looks_at(*told)).silent_gaps) == gaps


def test_a_wait_is_counted_for_the_trouble_that_it_met() -> None:
    frozen = Struck("leader frozen", 200.0, 225.0, 230.0)
    lost = Struck("log's tail lost", 300.0, 310.0, 360.0, by_hand=True)
    waits = [
        *(Wait("e-1", 50.0, 51.0), Wait("e-2", 99.0, 107.0)),
        *(Wait("e-3", 201.0, 221.0), Wait("e-4", 300.0, 350.0)),
    ]
    figures = figures_of(Verdict(lost=["e-5"]), waits, [KILLED, frozen, lost])

    assert figures["longest_stall_s"] == 20.0
    assert figures["longest_stall_one_process_killed_s"] == 8.0
    assert (figures["lost"], figures["silent_gaps"]) == (1, 0)
