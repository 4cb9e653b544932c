"""A state as plain JSON and back: what a waiting execution leaves behind when it is parked.

Restoring a snapshot and folding the events recorded after it gives the state that folding all
events gives. Scopes shared between branches stay shared.
"""

from dataclasses import fields
from datetime import datetime
from typing import Any

from executor_service.engine.frontier import Arrival
from executor_service.engine.map_items import Items, restore_into, saved
from executor_service.engine.plan import Plan
from executor_service.engine.scope import Scope, Stretch
from executor_service.engine.state import State
from executor_service.engine.visit import EndedBranch, Undone, Visit
from executor_service.errors import ExecutorError
from steplog_contracts.definition_parts import FIRST_LANGUAGE
from steplog_contracts.events import ErrorInfo
from steplog_contracts.payload import JsonObject

SNAPSHOT_VERSION = 1
_TIMES = frozenset({"due_at", "expires_at", "evaluated_at"})
_KEPT_APART = frozenset({"step", "scope", "last_error"})


class SnapshotUnreadable(ExecutorError):
    """A snapshot of another version, or no snapshot at all; fold the recorded events instead."""


def snapshot(state: State) -> JsonObject:
    """Return the state of an execution that has not ended; it shares values with the state."""
    scopes = _Scopes()
    return {
        "version": SNAPSHOT_VERSION,
        "seq": state.seq,
        "language": state.language,
        "started_at": _text(state.started_at),
        "input": state.input,
        "parameters": state.parameters,
        "metadata": state.metadata,
        "iterations": dict(state.iterations),
        "first_started_at": {k: _text(at) for k, at in state.first_started_at.items()},
        "failure": None if state.failure is None else state.failure.model_dump(mode="json"),
        "cancelling": state.cancelling,
        "finishing": state.finishing,
        "deadline_passed": state.deadline_passed,
        "done": [
            [
                d.step.id,
                d.iteration,
                scopes.number(d.scope),
                d.input,
                d.output,
                _text(d.evaluated_at),
            ]
            for d in state.done
        ],
        "began_at": _text(state.began_at),
        "root": scopes.number(state.root),
        "visits": [_visit_out(visit, scopes) for visit in state.visits.values()],
        "arrived": {
            step_id: [[a.path_index, scopes.number(a.scope), a.closes_cycle] for a in arrivals]
            for step_id, arrivals in state.frontier.arrived.items()
        },
        "ended_branches": [
            [branch.path_index, scopes.number(branch.scope)] for branch in state.ended_branches
        ],
        "maps": saved(state.maps),
        "children": [state.children, state.depth],
        "scopes": scopes.out,
        "stretches": state.frontier.numbers.taken,
    }


def restore(saved: JsonObject, plan: Plan, execution_id: str) -> State:
    """Return the state that a snapshot was made of.

    Raises:
        SnapshotUnreadable: it can't be read by this version.
    """
    if saved.get("version") != SNAPSHOT_VERSION:
        raise SnapshotUnreadable(
            f"This is no snapshot of version {SNAPSHOT_VERSION}; fold the recorded events instead."
        )
    try:
        return _restored(saved, State(plan, execution_id))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SnapshotUnreadable(f"The snapshot is damaged: {error!r}.") from error


def _restored(kept: JsonObject, state: State) -> State:
    scopes = _scopes_in(kept["scopes"])
    state.frontier.numbers.taken = kept.get("stretches", len(scopes))
    state.seq = kept["seq"]
    state.language = kept.get("language", FIRST_LANGUAGE)
    state.started_at = _time(kept["started_at"])
    state.input = kept["input"]
    state.parameters = kept["parameters"]
    state.metadata = kept["metadata"]
    state.iterations.update(kept["iterations"])
    state.first_started_at = {
        step_id: datetime.fromisoformat(at) for step_id, at in kept["first_started_at"].items()
    }
    state.failure = None if kept["failure"] is None else ErrorInfo(**kept["failure"])
    state.cancelling = kept["cancelling"]
    state.finishing = kept.get("finishing", False)
    state.deadline_passed = kept.get("deadline_passed", False)
    for step_id, iteration, scope, given, output, *at in kept.get("done", ()):
        step = state.plan.step_of(step_id)
        if step is None:
            raise KeyError(step_id)
        done = (step, iteration, scopes[scope], given, output)
        state.done.append(Undone(*done, *map(_time, at)))
    state.began_at = _time(kept.get("began_at"))
    state.root = scopes[kept["root"]]
    for visit in kept["visits"]:
        state.visits[visit["step"]] = _visit_in(visit, state.plan, scopes)
    state.children, state.depth = kept.get("children", (0, 0))
    for map_id, became in kept.get("maps", {}).items():
        items = state.maps[map_id] = Items.recorded(map_id, state.visits[map_id].input)
        restore_into(items, became)
    for step_id, arrivals in kept["arrived"].items():
        for path_index, scope, closes_cycle in arrivals:
            state.frontier.arrive(step_id, Arrival(path_index, scopes[scope], closes_cycle))
    state.ended_branches = [EndedBranch(index, scopes[n]) for index, n in kept["ended_branches"]]
    return state


class _Scopes:
    """Numbers scopes as they are met, parents before their children."""

    def __init__(self) -> None:
        self.out: list[JsonObject] = []
        self._numbers: dict[int, int] = {}

    def number(self, scope: Scope) -> int:
        lineage = []
        part: Scope | None = scope
        while part is not None and id(part) not in self._numbers:
            lineage.append(part)
            part = part.parent
        for unknown in reversed(lineage):
            parent = unknown.parent
            self._numbers[id(unknown)] = len(self.out)
            self.out.append(
                {
                    "parent": None if parent is None else self._numbers[id(parent)],
                    "data": unknown.data,
                    "results": dict(unknown.results),
                    "changes": dict(unknown.changes),
                    "children": unknown.children,
                    "passed": unknown.passed,
                    "stretch": _stretch_out(unknown.stretch),
                    "origins": {k: _stretch_out(s) for k, s in unknown.origins.items()},
                    "result_origins": {
                        k: _stretch_out(s) for k, s in unknown.result_origins.items()
                    },
                }
            )
        return self._numbers[id(scope)]


def _scopes_in(saved: list[JsonObject]) -> list[Scope]:
    scopes: list[Scope] = []
    for number, entry in enumerate(saved):
        parent = None if entry["parent"] is None else scopes[entry["parent"]]
        # Before stretches were kept, each scope counts as one, after those it lies below.
        own = Stretch(1 << number, 0 if parent is None else parent.stretch.seen)
        scope = Scope(entry["data"], parent, _stretch_in(entry.get("stretch"), own))
        scope.results = dict(entry["results"])
        scope.changes = dict(entry["changes"])
        if parent is not None:
            origins, of_results = entry.get("origins", {}), entry.get("result_origins", {})
            scope.origins = {k: _stretch_in(origins.get(k), own) for k in scope.changes}
            scope.result_origins = {k: _stretch_in(of_results.get(k), own) for k in scope.results}
        scope.children = entry["children"]
        scope.passed = entry.get("passed", {})
        scopes.append(scope)
    return scopes


def _stretch_out(stretch: Stretch) -> list[str]:
    # As text: readers of JSON elsewhere keep 53 bits of a number.
    return [hex(stretch.bit), hex(stretch.past)]


def _stretch_in(saved: list[str] | None, otherwise: Stretch) -> Stretch:
    return otherwise if saved is None else Stretch(int(saved[0], 16), int(saved[1], 16))


def _visit_out(visit: Visit, scopes: _Scopes) -> JsonObject:
    saved: dict[str, Any] = {
        field.name: getattr(visit, field.name)
        for field in fields(visit)
        if field.name not in _KEPT_APART
    }
    saved |= {name: _text(saved[name]) for name in _TIMES}
    error = visit.last_error
    saved["last_error"] = None if error is None else error.model_dump(mode="json")
    return saved | {"step": visit.step.id, "scope": scopes.number(visit.scope)}


def _visit_in(saved: JsonObject, plan: Plan, scopes: list[Scope]) -> Visit:
    error = saved["last_error"]
    return Visit(
        **{
            **saved,
            "step": plan.step_of(saved["step"]),
            "scope": scopes[saved["scope"]],
            "last_error": None if error is None else ErrorInfo(**error),
            **{name: _time(saved.get(name)) for name in _TIMES},
        }
    )


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
