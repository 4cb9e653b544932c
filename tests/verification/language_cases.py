"""Random definitions over every construct of the flow language, and what their steps do.

A case is drawn once; from it come the definition, the objects that run its tasks, and, said apart
from them, the plain functions by which `language_judge` judges a log.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.executor.flows import asks

Data = dict[str, Any]
KEYS = ("p", "q", "r")
BOUND = 3
SILENCE_S = LIMIT_S = 2.0
FLAKY_FAILURES = 2
_SUM = "default(p, 0) + default(q, 0) + default(r, 0)"


@dataclass(frozen=True)
class StepCase:
    """A step; what a field means depends on `kind`, and most say nothing about most kinds."""

    kind: str
    key: str = "p"
    add: int = 0
    seconds: int = 0
    trouble: str = ""  # raises, flaky, hangs, silent or beats
    undo: int | None = None  # It can be undone, after so many failures.
    pure: bool = False
    passes_on: bool = False
    catches: tuple[tuple[str, str, bool], ...] = ()  # Error, where to, and whether it is kept.
    continues: bool = False
    join: tuple[str | int, str] | None = None
    items: int = 0
    bad: frozenset[int] = frozenset()
    tolerated: int = 0
    at_once: int = 1
    batch: int | None = None
    child: int = 0
    waits: bool = True
    own_input: bool = True
    limit: bool = False


@dataclass(frozen=True)
class PathCase:
    """A way from a step to another, or to an end; for a `switch`, a case of it."""

    source: int
    to: str
    key: str | None
    below: int

    def holds(self, data: Data) -> bool:
        value = data.get(self.key, None) if self.key else 0
        return self.key is None or (isinstance(value, int) and value < self.below)

    @property
    def condition(self) -> Data:
        return {"type": "always"} if self.key is None else asks(self.key, "<", self.below)


@dataclass(frozen=True)
class LanguageCase:
    """A definition; `children` are those that its steps have run, by their place."""

    name: str
    steps: tuple[StepCase, ...]
    paths: tuple[PathCase, ...]
    children: tuple["LanguageCase", ...] = ()
    compensates: bool = False
    timeout: int | None = None
    deadline: tuple[int, str] | None = None

    def declared(self) -> list[PathCase]:
        """The paths of the flow itself."""
        return [path for path in self.paths if self.steps[path.source].kind != "switch"]

    def cases(self, index: int) -> list[PathCase]:
        """The cases of a switch."""
        return [path for path in self.paths if path.source == index]

    def all(self) -> Iterator["LanguageCase"]:
        """This case and all beneath it."""
        yield self
        for child in self.children:
            yield from child.all()

    def definition(self) -> Data:
        """The definition as it is written."""
        flow = [
            {"from": f"s{path.source}", "to": path.to}
            | ({} if path.key is None else {"condition": path.condition})
            for path in self.declared()
        ]
        written: Data = {
            "name": self.name,
            "steps": [self._step(index) for index in range(len(self.steps))],
            "flow": {"start_at": "s0", "paths": flow},
            "loop_config": {"max_iterations": BOUND},
        }
        if self.compensates:
            written["on_failure"] = "compensate"
        if self.timeout is not None:
            written["timeout_seconds"] = self.timeout
        if self.deadline is not None:
            written["deadline"] = {"after": self.deadline[0], "then": self.deadline[1]}
        return written

    def _step(self, index: int) -> Data:
        step = self.steps[index]
        written: Data = {"id": f"s{index}", **_own_keys(self, index)}
        if step.catches:
            written["catch"] = [
                {"errors": [error], "to": to} | ({"as": "problem"} if kept else {})
                for error, to, kept in step.catches
            ]
        if step.join is not None:
            when, rest = step.join
            written["join"] = {"when": when, "rest": rest}
        if handling := _handling(step):
            written["error_handling"] = handling
        return written


def _own_keys(case: LanguageCase, index: int) -> Data:
    """Return what the definition of a step of this kind says."""
    step = case.steps[index]
    match step.kind:
        case "task":
            undo = {} if step.undo is None else {"compensate": {"retry": UNDO_RETRY}}
            return undo | ({"effects": "none"} if step.pure else {})
        case "set":
            return {"type": "set", "values": {step.key: f"{{{{ ({_SUM} + {step.add}) % 5 }}}}"}}
        case "fail":
            return {"type": "fail", "error": "Planned", "message": "planned"}
        case "wait":
            return {"type": "wait", "seconds": step.seconds}
        case "http":
            return {"type": "http", "url": "https://x.example", "body": "{{ default(p, 0) }}"}
        case "switch":
            written = [{"condition": p.condition, "to": p.to} for p in case.cases(index)]
            never = [{"condition": asks("never"), "to": "end_here"}]
            return {"type": "switch", "cases": written or never, "default": "end_here"}
        case "condition":
            return {"type": "condition", "condition": asks(step.key, "<", step.add)}
        case "map" | "child_map":
            return _map_keys(case, step)
        case "child":
            given = {"p": "{{ default(p, 0) }}", "q": step.add}
            return {"type": "pipeline", "pipeline": case.children[step.child].name,
                    "wait": step.waits, "on_parent_end": "leave" if step.passes_on else "cancel",
                    **({"input": given} if step.own_input else {})}  # fmt: skip
    return {"type": step.kind}


def _map_keys(case: LanguageCase, step: StepCase) -> Data:
    keys: Data = {"type": "map", "items": list(range(step.items)), "max_concurrency": step.at_once,
                  "tolerated_failures": step.tolerated}  # fmt: skip
    if step.kind == "child_map":
        return keys | {"pipeline": case.children[step.child].name}
    inner: Data = {"inputs": {"all": "{{ default(p, 0) }}"}}
    if step.trouble == "flaky":
        inner["error_handling"] = {"retry": RETRY}
    return keys | {"step": inner} | ({"batch_size": step.batch} if step.batch else {})


RETRY = {"max_attempts": 100, "initial_delay": 1, "exponential_base": 1, "jitter": False}
UNDO_RETRY = {"max_attempts": 2, "initial_delay": 1, "jitter": False}


def _handling(step: StepCase) -> Data:
    written: Data = {}
    if step.continues:
        written["continue_on_error"] = True
    if step.trouble == "flaky" and step.kind != "map":
        written["retry"] = RETRY
    if step.trouble == "hangs" or (step.kind == "child" and step.limit):
        written["timeout_seconds"] = LIMIT_S
    if step.trouble == "silent":
        written["heartbeat_timeout_seconds"] = SILENCE_S
    return written


# What steps come to, said once more in plain words; both the steps and the judge ask here.


def total(data: Data) -> int:
    return sum(data[key] for key in KEYS if isinstance(data.get(key), int))


def result_of(step: StepCase, data: Data) -> Any:
    """Return what a step that does not fail comes to, from what it is given."""
    match step.kind:
        case "task" | "set":
            written = {step.key: (total(data) + step.add) % 5}
            return {**data, **written} if step.passes_on and step.kind == "task" else written
        case "human":
            return {"prompt": "how many?", "given": step.add, step.key: step.add} | (
                {"timeout_seconds": LIMIT_S} if step.limit else {}
            )
        case "http":
            return {"response": {"status": 200, "body": data.get("p", 0)}}
    return None


def item_result(step: StepCase, data: Data) -> Any:
    item = data["item"]
    return (sum(item) if isinstance(item, list) else item) + data["all"] + step.add


def is_bad(step: StepCase, data: Data) -> bool:
    return not step.bad.isdisjoint(
        data["item"] if isinstance(data["item"], list) else (data["item"],)
    )


def items_of(step: StepCase) -> list[Any]:
    """Return what the visits of a map are given."""
    every = list(range(step.items))
    if step.batch is None or step.kind == "child_map":
        return every
    return [every[at : at + step.batch] for at in range(0, len(every), step.batch)]
