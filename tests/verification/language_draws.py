"""Strategies that draw definitions over every construct of the flow language."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from tests.verification.language_cases import KEYS, LanguageCase, PathCase, StepCase

_PLAIN = ("task", "task", "task", "human", "set", "noop", "wait", "http", "switch", "condition")
_RARE = ("map", "map", "fail", "child", "child", "child_map")
_ENDS = ("end", "end_here", "end_all", "end_with_failure")
_ERRORS = (
    "ValueError", "KeyError", "StepTimedOut", "Planned", "MapItemsFailed", "WaitExpired",
    "ChildCancelled", "*",
)  # fmt: skip
_TROUBLES = ("", "", "", "", "raises", "flaky", "hangs", "silent", "beats")
_MAX_DEPTH = 2


@st.composite
def definitions(draw: st.DrawFn, name: str = "f", depth: int = 0) -> LanguageCase:
    """Draw a definition of up to seven steps; those of children are smaller."""
    children = ()
    if depth < _MAX_DEPTH and draw(st.booleans()):
        count = draw(st.integers(1, 2 - depth))
        children = tuple(draw(definitions(f"{name}{n}", depth + 1)) for n in range(count))
    count = draw(st.integers(1, 7 - 2 * depth))
    places = st.sampled_from([f"s{n}" for n in range(count)] * 2 + ["end", *_ENDS])
    steps = tuple(draw(_steps(children, places)) for _ in range(count))
    if draw(st.booleans()):
        steps = tuple(replace(step, pure=step.undo is None) for step in steps)
    paths = tuple(
        PathCase(
            draw(st.integers(0, count - 1)),
            draw(places),
            draw(st.sampled_from((None, None, *KEYS))),
            draw(st.integers(1, 4)),
        )
        for _ in range(draw(st.integers(count - 1, 2 * count + 1)))
    )
    if draw(st.integers(0, 3)):  # Mostly on: a row of steps, so that flows get long.
        row = tuple(PathCase(n, f"s{n + 1}", None, 1) for n in range(count - 1))
        paths = (*row, *(p for p in paths if p.to not in ("end_all", "end_with_failure")))
    limit = st.none() | st.integers(1, 9)
    deadline = draw(st.none() | st.tuples(st.integers(1, 9), places.filter(_is_step) | _FAIL))
    case = LanguageCase(name, steps, paths, children, draw(st.booleans()), draw(limit), deadline)
    return replace(case, steps=tuple(_joined(case, n, step) for n, step in enumerate(steps)))


_FAIL = st.just("fail")


def _is_step(place: str) -> bool:
    return place.startswith("s")


@st.composite
def _steps(draw: st.DrawFn, children: Any, places: st.SearchStrategy[str]) -> StepCase:
    kinds = (*_PLAIN, *(kind for kind in _RARE if children or "child" not in kind))
    kind = draw(st.sampled_from(kinds))
    trouble = draw(st.sampled_from(_TROUBLES)) if kind in ("task", "http", "map") else ""
    if kind != "task" and trouble not in ("", "raises", "flaky"):
        trouble = ""
    fails = kind not in ("set", "noop", "wait", "switch", "condition") or bool(trouble)
    return StepCase(
        kind=kind,
        key=draw(st.sampled_from(KEYS)),
        add=draw(st.integers(0, 4)),
        seconds=draw(st.integers(0, 4)),
        trouble=trouble,
        undo=draw(st.none() | st.integers(0, 3)) if kind == "task" and not trouble else None,
        passes_on=draw(st.booleans()),
        catches=draw(_catches(places)) if fails else (),
        continues=fails and kind not in ("fail", "human") and draw(st.integers(0, 3)) == 0,
        join=draw(st.none() | st.tuples(st.sampled_from(("any", 2)), _RESTS)),
        items=draw(st.integers(0, 4)),
        bad=draw(st.frozensets(st.integers(0, 4), max_size=int(trouble != "flaky"))),
        tolerated=draw(st.integers(0, 1)),
        at_once=draw(st.integers(1, 3)),
        batch=draw(st.none() | st.integers(1, 3)),
        child=draw(st.integers(0, len(children) - 1)) if children else 0,
        waits=draw(st.integers(0, 3)) > 0,
        own_input=draw(st.booleans()),
        limit=draw(st.booleans()),
    )


_RESTS = st.sampled_from(("cancel", "leave"))


@st.composite
def _catches(draw: st.DrawFn, places: st.SearchStrategy[str]) -> tuple[tuple[str, str, bool], ...]:
    """Draw what is caught; nothing after what takes everything."""
    found: dict[str, tuple[str, str, bool]] = {}
    for _ in range(draw(st.integers(0, 2))):
        error = draw(st.sampled_from(_ERRORS))
        found.setdefault(error, (error, draw(places), draw(st.booleans())))
        if error == "*":
            break
    return tuple(found.values())


def _joined(case: LanguageCase, index: int, step: StepCase) -> StepCase:
    """Let a step wait for no more branches than can come to it."""
    here = f"s{index}"
    ways = sum(path.to == here for path in case.declared())
    for number, other in enumerate(case.steps):
        ways += sum(to == here for _, to, _ in other.catches)
        ways += other.kind == "switch" and any(path.to == here for path in case.cases(number))
    if step.join is None or (step.join[0] == 2 and ways + (index == 0) < 2) or not ways:
        return replace(step, join=None)
    return step


@st.composite
def crashes(draw: st.DrawFn) -> list[tuple[int, bool, bool]]:
    """Draw crashes: after how many events, within an append, from a snapshot."""
    crash = st.tuples(st.integers(1, 25), st.booleans(), st.booleans())
    return draw(st.lists(crash, max_size=2))


# When the first execution is cancelled, and whether that undoes what it did.
CANCELS = st.none() | st.none() | st.none() | st.tuples(st.integers(0, 8), st.booleans())
