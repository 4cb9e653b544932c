"""`pipeline(...)`: a definition built step by step."""

from collections.abc import Mapping
from typing import Any

from steplog.builder.draft import Draft
from steplog.builder.places import Place, StepPlace
from steplog.builder.step_keys import schema_of
from steplog.errors import BadInput
from steplog_contracts.payload import JsonObject


class PipelineBuilder(Place):
    """A pipeline that is being built; `definition` is what it is so far.

    `then` and its kind add a step behind the one that was added last and return its place: hold on
    to places where the flow branches.
    """

    def __init__(self, name: str, keys: Mapping[str, Any]) -> None:
        super().__init__(Draft(name, keys))

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self._draft.name

    @property
    def _froms(self) -> tuple[str, ...]:
        return self._draft.last

    def __getitem__(self, step_id: str) -> StepPlace:
        """Return the place of a step by its id.

        Raises:
            BadInput: there is no such step.
        """
        if step_id not in self._draft.step_ids:
            there = ", ".join(self._draft.step_ids) or "none"
            raise BadInput(f"Pipeline {self.name} has no step {step_id!r}; it has {there}.")
        return StepPlace(self._draft, step_id)

    def __repr__(self) -> str:
        return f"<pipeline {self.name}: {' > '.join(self._draft.step_ids)}>"


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
