"""A definition as far as it is built: its steps and the paths between them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

from steplog.builder.step_keys import StepCode, name_of, of_code
from steplog.errors import BadInput
from steplog_contracts.flow_edges import is_end_marker
from steplog_contracts.payload import JsonObject

END: Final = "end"


class Draft:
    """Steps and paths under a pipeline's name; steps are named by their ids."""

    def __init__(self, name: str, keys: Mapping[str, Any]) -> None:
        self.name = name
        self._keys = {key: value for key, value in keys.items() if value is not None}
        self._steps: dict[str, JsonObject] = {}
        self._paths: list[JsonObject] = []
        self._start_at: str | None = None
        self.last: tuple[str, ...] = ()  # The step that was added last; none behind an end.

    @property
    def step_ids(self) -> Sequence[str]:
        """The ids of the steps, in the order they were added."""
        return list(self._steps)

    def copied(self) -> JsonObject:
        """Return a copy of the definition.

        Raises:
            BadInput: it has no step.
        """
        if self._start_at is None:
            raise BadInput(f"Pipeline {self.name} has no step; add one with .then(step).")
        flow: JsonObject = {"start_at": self._start_at, "paths": self._paths}
        steps = list(self._steps.values())
        return copy.deepcopy({"name": self.name, **self._keys, "steps": steps, "flow": flow})

    def written(self, step_id: str) -> JsonObject:
        """Return a step's own keys, to be added to."""
        return self._steps[step_id]

    def add(
        self, froms: Sequence[str], name: str, step: JsonObject, keys: Mapping[str, Any]
    ) -> str:
        """Add a step and the paths to it; returns its id.

        The id is the name, with a number where no id was given and the name is taken.

        Raises:
            BadInput: the id that was given is taken.
        """
        step_id = name if "id" in keys else self._free(name)
        if step_id in self._steps:
            raise BadInput(f"Pipeline {self.name} has a step {step_id!r} already; give another id.")
        self._steps[step_id] = {"id": step_id, **step}
        self.lead(froms, step_id, keys.get("when"))
        return step_id

    def lead(self, froms: Sequence[str], to: str, condition: JsonObject | None) -> None:
        """Add paths to a step or an end."""
        self._start_at = self._start_at or to
        self.last = (to,) if to in self._steps else ()
        for step_id in froms:
            path: JsonObject = {"from": step_id, "to": to}
            if condition is not None:
                path["condition"] = condition
            self._paths.append(path)

    def target(self, to: StepCode | str) -> str:
        """Return the id that a path leads to; code becomes a new step.

        Raises:
            BadInput: there is no such step, and it is no end marker.
        """
        if isinstance(to, str):
            if to in self._steps or is_end_marker(to):
                return to
            raise BadInput(f"Pipeline {self.name} has no step {to!r}, and it is no end marker.")
        step_id = self._free(name_of(to))
        self._steps[step_id] = {"id": step_id, **of_code(to, {})}
        return step_id

    def _free(self, name: str) -> str:
        number, free = 1, name
        while free in self._steps:
            number += 1
            free = f"{name}_{number}"
        return free
