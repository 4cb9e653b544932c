"""Places in a flow that is being built: what comes next is said of a step, or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, Unpack

from steplog.builder.draft import END, Draft
from steplog.builder.runnable import Runnable
from steplog.builder.step_keys import (
    PathKeys,
    StepCode,
    TaskKeys,
    name_of,
    of_code,
    own_keys,
)
from steplog.errors import BadInput
from steplog_contracts.payload import JsonObject, JsonValue

Next: TypeAlias = "StepCode | StepPlace | str"


class Place(Runnable):
    """Where paths begin: `then` and its kind add a step and the paths to it."""

    @property
    def _froms(self) -> tuple[str, ...]:
        """The steps that the next one follows."""
        raise NotImplementedError

    def then(self, following: Next, **keys: Unpack[TaskKeys]) -> StepPlace:
        """Go on with a step: a function under `@step`, a step class, or one that is there already.

        The place of an earlier step makes a loop, the name of an end marker (`end`, `end_all`,
        `end_with_failure`) an end. `when` is the condition of the path.

        Raises:
            BadInput: it is no step, or its id is taken.
        """
        if isinstance(following, str | StepPlace):
            to = self._target(following)
            self._draft.lead(self._froms, to, keys.get("when"))
            return StepPlace(self._draft, to)
        step = of_code(following, own_keys(keys))
        return self._add(name_of(following), step, keys)

    def ask(self, question: StepCode, **keys: Unpack[TaskKeys]) -> StepPlace:
        """Go on with a step that asks a person."""
        asking = {"type": "human", **of_code(question, own_keys(keys))}
        return self._add(name_of(question), asking, keys)

    def map(
        self,
        items: JsonValue,
        each: StepCode | str,
        *,
        item_name: str = "item",
        max_concurrency: int | None = None,
        tolerated_failures: int | str | None = None,
        batch_size: int | None = None,
        step: TaskKeys | None = None,
        **keys: Unpack[PathKeys],
    ) -> StepPlace:
        """Do one thing for each item: run a step, or a pipeline that the executor knows by name.

        `items` is a list or a template of one; `step` has keys of the step that each item visits.
        """
        one: JsonObject
        if isinstance(each, str):
            one, name = {"pipeline": each}, each
        else:
            one, name = {"step": of_code(each, step or {})}, name_of(each)
        own = {
            "type": "map", "items": items, "item_name": item_name, **one,
            "max_concurrency": max_concurrency, "tolerated_failures": tolerated_failures,
            "batch_size": batch_size,
        }  # fmt: skip
        return self._add_built_in(f"each_{name}", own, keys)

    def child(
        self,
        pipeline: Runnable | Mapping[str, Any] | str,
        *,
        input: JsonValue = None,  # noqa: A002 - the word of the definition
        wait: bool | None = None,
        on_parent_end: Literal["cancel", "leave"] | None = None,
        **keys: Unpack[PathKeys],
    ) -> StepPlace:
        """Have another pipeline run: by its name, or by its definition, which is put in."""
        own: JsonObject = {"type": "pipeline"}
        if isinstance(pipeline, str):
            name, own["pipeline"] = pipeline, pipeline
        else:
            definition = pipeline.definition if isinstance(pipeline, Runnable) else pipeline
            name, own["definition"] = str(definition.get("name", "child")), definition
        own |= {"input": input, "wait": wait, "on_parent_end": on_parent_end}
        return self._add_built_in(name, own, keys)

    def wait(
        self,
        *,
        seconds: float | str | None = None,
        until: str | None = None,
        **keys: Unpack[PathKeys],
    ) -> StepPlace:
        """Wait for some seconds, or until a time; each may be a template."""
        return self._add_built_in(
            "wait", {"type": "wait", "seconds": seconds, "until": until}, keys
        )

    def set(self, values: JsonObject, **keys: Unpack[PathKeys]) -> StepPlace:
        """Lay values over the data; templates in them are resolved."""
        return self._add_built_in("set", {"type": "set", "values": values}, keys)

    def noop(self, **keys: Unpack[PathKeys]) -> StepPlace:
        """Do nothing: a place for paths to meet or to part."""
        return self._add_built_in("noop", {"type": "noop"}, keys)

    def fail(
        self, error: str = "FlowFailed", message: str | None = None, **keys: Unpack[PathKeys]
    ) -> StepPlace:
        """Fail with an error of this name."""
        return self._add_built_in(
            "fail", {"type": "fail", "error": error, "message": message}, keys
        )

    def http(
        self,
        url: str,
        *,
        method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] | None = None,
        headers: JsonObject | None = None,
        body: JsonValue = None,
        expect: Sequence[int] | None = None,
        **keys: Unpack[PathKeys],
    ) -> StepPlace:
        """Make one request to a host that the executor's settings allow."""
        wanted = list(expect) if expect is not None else None
        own: JsonObject = {
            "type": "http", "url": url, "method": method, "headers": headers, "body": body,
            "expect": wanted,
        }  # fmt: skip
        return self._add_built_in("http", own, keys)

    def switch(
        self,
        *cases: tuple[JsonObject, Next],
        default: Next = END,
        **keys: Unpack[PathKeys],
    ) -> StepPlace:
        """Go one of several ways: that of the first condition that holds, else the default."""
        place = self._add_built_in("switch", {"type": "switch"}, keys)
        step = self._draft.written(place.id)
        step["cases"] = [
            {"condition": condition, "to": self._target(to)} for condition, to in cases
        ]
        step["default"] = self._target(default)
        return place

    def _add_built_in(self, name: str, own: JsonObject, keys: Mapping[str, Any]) -> StepPlace:
        given = {key: value for key, value in own.items() if value is not None}
        return self._add(name, given | own_keys(keys), keys)

    def _add(self, name: str, own: JsonObject, keys: Mapping[str, Any]) -> StepPlace:
        step_id = self._draft.add(self._froms, keys.get("id") or name, own, keys)
        return StepPlace(self._draft, step_id)

    def _target(self, to: Next) -> str:
        return to.id if isinstance(to, StepPlace) else self._draft.target(to)


class StepPlace(Place):
    """A step of the flow, and where the flow may go from it."""

    def __init__(self, draft: Draft, step_id: str) -> None:
        super().__init__(draft)
        self.id = step_id

    @property
    def _froms(self) -> tuple[str, ...]:
        return (self.id,)

    def catch(
        self,
        *errors: str | type[BaseException],
        to: Next,
        as_: str | None = None,
    ) -> StepPlace:
        """Go on elsewhere after errors of these classes or names (`*` is any); returns this place.

        The error is laid at the key `as_` of the data.
        """
        caught: JsonObject = {"errors": [_error_name(error) for error in errors or ("*",)]}
        caught["to"] = self._target(to)
        if as_ is not None:
            caught["as"] = as_
        self._draft.written(self.id).setdefault("catch", []).append(caught)
        return self

    def branch(self, *steps: StepCode) -> tuple[StepPlace, ...]:
        """Go on with several steps at the same time, and return their places."""
        return tuple(self.then(step) for step in steps)

    def __repr__(self) -> str:
        return f"<step {self.id} of {self._draft.name}>"


class Branches(Place):
    """Several steps; what comes next runs once, when the branches have come to it."""

    def __init__(self, places: Sequence[StepPlace]) -> None:
        drafts = {id(place._draft): place._draft for place in places}
        if len(drafts) != 1:
            raise BadInput("A join is of steps of one and the same pipeline; give at least one.")
        super().__init__(next(iter(drafts.values())))
        self._ids = tuple(place.id for place in places)

    @property
    def _froms(self) -> tuple[str, ...]:
        return self._ids


def join(*places: StepPlace) -> Branches:
    """Return branches that come together: `join(a, b).then(report)`."""
    return Branches(places)


def _error_name(error: str | type[BaseException]) -> str:
    return error if isinstance(error, str) else error.__name__
