"""Random definitions over every construct of the language, through crashes, judged by the rules.

Run longer with `HYPOTHESIS_PROFILE=long`. What is drawn: tasks that return, raise, fail and are
tried again, hang, fall silent or beat; people; steps without code; switches and conditions; maps of
steps and of pipelines; children three deep; caught errors; joins that wait for fewer; every end
marker; loops; limits in time; compensation; steps without effects; cancels. And at up to two points
of the history all processes die, also in the middle of an append.
"""

import os
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from executor_service.engine import child_decisions, completion
from executor_service.engine.frontier import Frontier
from executor_service.engine.map_items import Items
from steplog_contracts import events as ev
from tests.verification.language_cases import LanguageCase, PathCase, StepCase
from tests.verification.language_draws import CANCELS, crashes, definitions
from tests.verification.language_judge import follow
from tests.verification.language_world import Life, World

EXAMPLES = 5_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 100
drawn = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def judged(case: LanguageCase, plan: Any, cancel: Any) -> dict[str, Life]:
    """Run a case and follow every log of it."""
    world = World(case, plan, cancel)
    lives = world.run()

    assert world.complaints == []
    for life in lives.values():
        follow(life, lives)
    return lives


def visit_of(life: Life) -> Any:
    """Return the visit that an execution was begun by: another attempt, another child."""
    visit = life.started.parent_visit
    return life.started.parent_execution_id, visit and (
        visit.step_id,
        visit.iteration,
        visit.attempt,
    )


@drawn
@given(definitions(), crashes(), CANCELS)
def test_whatever_is_drawn_runs_by_the_rules(case: LanguageCase, plan: Any, cancel: Any) -> None:
    lives = judged(case, plan, cancel)

    begun = [
        entry.event.child_execution_id
        for life in lives.values()
        for entry in life.entries
        if isinstance(entry.event, ev.StepChildStarted)
    ]
    assert len(begun) == len(set(begun))
    visits = [visit_of(life) for life in lives.values()]
    assert len(visits) == len(set(visits))


# A row of every kind, so that planted faults are found without searching for long.
_KINDS = ("task", "set", "map", "child", "http", "wait", "task")
_CHILD = LanguageCase("f0", (StepCase("task", add=1),), ())
PLAIN = LanguageCase(
    "f",
    tuple(StepCase(kind, items=3, seconds=1, at_once=2, undo=0 if kind == "task" else None)
          for kind in _KINDS),
    tuple(PathCase(n, f"s{n + 1}", None, 1) for n in range(len(_KINDS) - 1)),
    (_CHILD,),
)  # fmt: skip
FAILING = replace(
    PLAIN,
    steps=(*PLAIN.steps[:-1], StepCase("fail")),
    compensates=True,
)
RACING = LanguageCase(
    "f",
    (StepCase("noop"), StepCase("task", seconds=1), StepCase("task", seconds=3),
     StepCase("task", join=("any", "cancel"))),
    (PathCase(0, "s1", None, 1), PathCase(0, "s2", None, 1), PathCase(1, "s3", None, 1),
     PathCase(2, "s3", None, 1)),
)  # fmt: skip


def test_a_row_of_every_kind_runs_by_the_rules() -> None:
    lives = judged(PLAIN, [], None)

    assert [type(life.entries[-1].event) for life in lives.values()] == [ev.ExecutionCompleted] * 2


Fault = Callable[[pytest.MonkeyPatch], None]


def _children_of_chance(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(child_decisions, "child_id_of", lambda *_: str(uuid.uuid4()))


def _items_forgotten(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(Items, "output", lambda self: list(self.results.values())[:-1])


def _nothing_undone(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(
        completion, "compensating", lambda state, error, reason: [ev.ExecutionFailed(error=error)]
    )


def _joins_without_leaving(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(Frontier, "rest_of", lambda self, step_id: ([], []))


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        pytest.param(PLAIN, _children_of_chance, id="another child after a crash"),
        pytest.param(PLAIN, _items_forgotten, id="an item that is lost"),
        pytest.param(FAILING, _nothing_undone, id="a compensation left out"),
        pytest.param(RACING, _joins_without_leaving, id="a join that stops nobody"),
    ],
)
def test_the_judge_finds_a_planted_fault(
    case: LanguageCase, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)

    def through_every_crash() -> None:
        for after in range(1, 30):
            judged(case, [(after, False, False)], None)

    with pytest.raises(AssertionError):
        through_every_crash()
