"""`pipeline(...)`: a definition built step by step."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

from steplog.builder.places import Next, Place, StepPlace
from steplog.builder.step_keys import name_of, of_code, own_keys, schema_of
from steplog.errors import BadInput
from steplog_contracts.payload import JsonObject

END: Final = "end"
_END_PREFIX: Final = "end_"


class PipelineBuilder(Place):
    """A pipeline that is being built; `definition` is what it is so far.

    `then` and its kind add a step behind the one that was added last and return its place: hold on
    to places where the flow branches.
    """

    def __init__(self, name: str, keys: Mapping[str, Any]) -> None:
        self.name = name
        self._keys = {key: value for key, value in keys.items() if value is not None}
        self._steps: dict[str, JsonObject] = {}
        self._paths: list[JsonObject] = []
        self._start_at: str | None = None
        self._flow = self
        self._froms = ()

    def __getitem__(self, step_id: str) -> StepPlace:
        """Return the place of a step by its id."""
        if step_id not in self._steps:
            there = ", ".join(self._steps) or "none"
            raise BadInput(f"Pipeline {self.name} has no step {step_id!r}; it has {there}.")
        return StepPlace(self, step_id)

    def __repr__(self) -> str:
        return f"<pipeline {self.name}: {' > '.join(self._steps)}>"

    def copied(self) -> JsonObject:
        """Return a copy of the definition; raises `BadInput` where it has no step."""
        if self._start_at is None:
            raise BadInput(f"Pipeline {self.name} has no step; add one with .then(step).")
        flow: JsonObject = {"start_at": self._start_at, "paths": self._paths}
        steps = list(self._steps.values())
        return copy.deepcopy({"name": self.name, **self._keys, "steps": steps, "flow": flow})

    def written(self, step_id: str) -> JsonObject:
        """Return a step's own keys, to be added to."""
        return self._steps[step_id]

    def follow(self, froms: Sequence[str], following: Next, keys: Mapping[str, Any]) -> StepPlace:
        """Add a step, unless it is there, and the paths that lead to it."""
        if isinstance(following, str | StepPlace):
            to = self.target(following)
            self._lead(froms, to, keys.get("when"))
            return StepPlace(self, to)
        step = of_code(following, own_keys(keys))
        return self.add(froms, keys.get("id") or name_of(following), step, keys)

    def add(
        self, froms: Sequence[str], name: str, step: JsonObject, keys: Mapping[str, Any]
    ) -> StepPlace:
        """Add a step under a name, numbered where no id was given and the name is taken."""
        step_id = name if "id" in keys else self._free(name)
        if step_id in self._steps:
            raise BadInput(f"Pipeline {self.name} has a step {step_id!r} already; give another id.")
        self._steps[step_id] = {"id": step_id, **step}
        self._lead(froms, step_id, keys.get("when"))
        return StepPlace(self, step_id)

    def target(self, to: Next) -> str:
        """Return the id that a way leads to, its step added if it is new."""
        if isinstance(to, StepPlace):
            return to.id
        if isinstance(to, str):
            if to in self._steps or to == END or to.startswith(_END_PREFIX):
                return to
            raise BadInput(f"Pipeline {self.name} has no step {to!r}, and it is no end marker.")
        step_id = self._free(name_of(to))
        self._steps[step_id] = {"id": step_id, **of_code(to, {})}
        return step_id

    def _lead(self, froms: Sequence[str], to: str, condition: JsonObject | None) -> None:
        self._start_at = self._start_at or to
        self._froms = (to,) if to in self._steps else ()
        for step_id in froms:
            path: JsonObject = {"from": step_id, "to": to}
            if condition is not None:
                path["condition"] = condition
            self._paths.append(path)

    def _free(self, name: str) -> str:
        number, free = 1, name
        while free in self._steps:
            number += 1
            free = f"{name}_{number}"
        return free


def pipeline(
    name: str,
    *,
    version: str | None = None,
    description: str | None = None,
    parameters: JsonObject | None = None,
    input_schema: Any = None,
    output_schema: Any = None,
    **keys: Any,
) -> PipelineBuilder:
    """Begin a pipeline: `pipeline("weather").then(load).then(clean)`.

    Schemas may be pydantic models. `keys` are further keys of a definition (docs/flow.md), such as
    `timeout_seconds`, `deadline`, `loop_config` or `on_failure`.
    """
    own = {"version": version, "description": description, "parameters": parameters}
    schemas = {
        "input_schema": None if input_schema is None else schema_of(input_schema),
        "output_schema": None if output_schema is None else schema_of(output_schema),
    }
    return PipelineBuilder(name, own | schemas | keys)
