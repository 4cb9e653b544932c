"""Bad input of every construct: a sentence with its place, or a failure of bounded cost."""

import asyncio
import json
from typing import Any

import pytest

from executor_service import Allowlist, RunFailed
from executor_service.definitions.blueprint import compile_definition
from executor_service.errors import DefinitionRefused
from executor_service.library.runner import create_pipeline_from_json

TASK = {"module": "tests.executor.example_steps", "step_class": "Echo"}
MODULES = Allowlist(["tests.*"])
# Beyond it something is not bounded; nothing here takes a tenth of it.
LIMIT_S = 60


def flow(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a definition of steps; the first one begins."""
    named = [{"id": name, **step} for name, step in zip("abc", steps, strict=False)]
    return {"name": "p", "steps": named, "flow": {"start_at": "a", "paths": []}, **more}


def mapped(items: Any = (), **keys: Any) -> dict[str, Any]:
    """Return a map."""
    return {"type": "map", "items": list(items) if items == () else items, "step": TASK, **keys}


def child(definition: Any, **keys: Any) -> dict[str, Any]:
    """Return a step that has a definition run."""
    return {"type": "pipeline", "definition": definition, **keys}


WAIT = {"type": "wait"}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    (flow(mapped(None)), "$.steps[0].items", "are a list"),
    (flow(mapped(5)), "$.steps[0].items", "are a list"),
    (flow(mapped([1], max_concurrency=0)), "$.steps[0].max_concurrency", "greater than"),
    (flow(mapped([1], max_concurrency=10**9)), "$.steps[0].max_concurrency", "less than"),
    (flow(mapped([1], batch_size=0)), "$.steps[0].batch_size", "greater than"),
    (flow(mapped([1], tolerated_failures="200%")), "$.steps[0].tolerated_failures", "no number"),
    (flow(mapped([1], tolerated_failures=-1)), "$.steps[0].tolerated_failures", "no number"),
    (flow(mapped([1], step={"type": "http", "url": "http://x"})), "$.steps[0].step.type", "http"),
    (flow(mapped([1], step=mapped([1]))), "$.steps[0].step.type", "'map'"),
    (flow(mapped([1], step={"type": "mop", **TASK})), "$.steps[0].step.type", "'mop'"),
    (flow({"type": "pipeline", "pipeline": "p"}), "$.steps[0].pipeline", "a step of"),
    (flow({"type": "pipeline"}), "$.steps[0].pipeline", "one of the two"),
    (flow(child(flow(WAIT), pipeline="q")), "$.steps[0].pipeline", "one of the two"),
    (flow(child({"name": "x"})), "$.steps[0].definition.steps", "is missing"),
    (flow(child(flow({"type": "wiat"}))), "$.steps[0].definition.steps[0].type", "'wiat'"),
    (flow(child(flow(child(flow({"type": "wiat"}))))),
     "$.steps[0].definition.steps[0].definition.steps[0].type", "'wiat'"),
    (flow(child(flow({"module": "os", "step_class": "X"}))),
     "$.steps[0].definition.steps[0].module", "allowlist"),
    (flow(WAIT), "$.steps[0]", "either"),
    (flow({**WAIT, "seconds": -1}), "$.steps[0].seconds", "from 0"),
    (flow({**WAIT, "seconds": 1e300}), "$.steps[0].seconds", "from 0"),
    (flow({**WAIT, "seconds": json.loads("1e400")}), "$", "inf"),
    (flow({**WAIT, "until": "soon"}), "$.steps[0].until", "no time"),
    (flow({**WAIT, "until": "2030-01-01T00:00:00"}), "$.steps[0].until", "time zone"),
    (flow({**WAIT, "until": "9999-12-31T23:59:59-12:00"}), "$.steps[0].until", "no time zone"),
    (flow({"type": "fail", "error": "a b"}), "$.steps[0].error", "can't stand here"),
    (flow({"type": "fail", "catch": [{"errors": [], "to": "end"}]}), "$.steps[0].catch[0].errors",
     "at least 1"),
    (flow({"type": "fail", "catch": [{"errors": ["*"], "to": "gone"}]}), "$.steps[0].catch[0].to",
     "no step 'gone'"),
    (flow({"type": "noop", "join": {"when": 0}}), "$.steps[0].join.when", "greater than 0"),
    (flow({"type": "noop", "join": {"when": 9}}), "$.steps[0].join.when", "can't come here"),
    (flow({**TASK, "compensate": {**TASK, "retry": {"max_attempts": 10**9}}}),
     "$.steps[0].compensate.retry.max_attempts", "less than"),
    (flow({"type": "set", "values": {}, "compensate": "x"}), "$.steps[0].compensate", "no key"),
    (flow({"type": "noop"}, timeout_seconds=0), "$.timeout_seconds", "greater than 0"),
    (flow({"type": "noop"}, timeout_seconds=1e300), "$.timeout_seconds", "less than"),
    (flow({"type": "noop"}, deadline={"after": 5, "then": "gone"}), "$.deadline.then", "gone"),
    (flow({"type": "noop"}, on_failure="undo"), "$.on_failure", "compensate"),
    (flow({"type": "noop", "effects": "some"}), "$.steps[0].effects", "none"),
    (flow({**TASK, "error_handling": {"heartbeat_timeout_seconds": -1}}),
     "$.steps[0].error_handling.heartbeat_timeout_seconds", "greater than 0"),
    (flow({"type": "kafka", "topic": "a"}), "$.steps[0].value", "is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("definition", "place", "words"), REFUSED)
def test_it_is_refused_with_its_place(definition: Any, place: str, words: str) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        compile_definition(definition, MODULES)

    found = [problem for problem in refused.value.problems if problem.json_path == place]
    assert any(words in problem.message for problem in found), refused.value.problems


X = "{{ pipeline_input.x }}"
CATCHES = {"type": "fail", "catch": [{"errors": ["*"], "to": "a"}]}
FAILS: list[tuple[dict[str, Any], Any, str]] = [
    (flow(mapped(X)), list(range(1_000_001)), "MapItemsRefused: Map 'a' has 1000001 items"),
    (flow(mapped(X)), {"a": 1}, "are an object"),
    (flow(mapped(X)), "abc", "are a text"),
    (flow(mapped("{{ gone.y }}")), None, "leads nowhere"),
    (flow({**WAIT, "seconds": X}), -5, "InvalidWait"),
    (flow({**WAIT, "seconds": X}), 1e300, "InvalidWait"),
    (flow({**WAIT, "seconds": X}), True, "InvalidWait"),
    (flow({**WAIT, "until": X}), "9999-12-31T23:59:59+00:00", "100 years at most"),
    (flow({"type": "http", "url": X}), {"a": 1}, "no address"),
    (flow({"type": "http", "url": "http://169.254.169.254/"}), None, "not on the allowlist"),
    (flow(CATCHES), None, "LoopBoundExceeded"),
    (flow({**CATCHES, "catch": [{"errors": ["*"], "to": "b"}]}, CATCHES), None,
     "LoopBoundExceeded"),
    (flow({"type": "switch", "default": "end",
           "cases": [{"condition": {"type": "always"}, "to": "a"}]}), None, "LoopBoundExceeded"),
    (flow(child(flow(WAIT | {"seconds": 1}))), None, "no way to run other pipelines"),
]  # fmt: skip


@pytest.mark.parametrize(("definition", "value", "words"), FAILS)
async def test_it_fails_with_a_sentence(definition: Any, value: Any, words: str) -> None:
    pipeline = create_pipeline_from_json(definition, allowlist=MODULES)

    with pytest.raises(RunFailed, match=words):
        await asyncio.wait_for(pipeline.run({"x": value}), LIMIT_S)


async def test_duplicate_and_huge_items_are_items_like_any() -> None:
    pipeline = create_pipeline_from_json(flow(mapped(X)), allowlist=MODULES)

    result = await asyncio.wait_for(pipeline.run({"x": [1, 1, "y" * 3_000_000]}), LIMIT_S)

    assert result["steps"][-1]["result"] == [{"a_was": 1}] * 3
