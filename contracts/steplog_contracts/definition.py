"""The format of a pipeline definition, as people write it.

The models say what shape each part has; what a definition means, and what else can be wrong with
it, is the executor's business. Where two spellings of a key mean the same, both are fields here and
a check asks for one of them.
"""

from typing import Any, ClassVar, Final, Literal

from pydantic import Field, PositiveInt

from steplog_contracts.conditions import Condition, condition_schema, linked
from steplog_contracts.definition_parts import (
    DescribedPart,
    InputDeclaration,
    Name,
    ParameterDeclaration,
    Part,
    Schema,
    Seconds,
    Span,
)
from steplog_contracts.payload import JsonObject
from steplog_contracts.step_types import AnyStep

# A definition is read and checked as a whole, so its size is bounded.
MAX_STEPS: Final = 20_000
MAX_PATHS: Final = 100_000


class PathDefinition(DescribedPart):
    """A path from a step to another one or to an end marker; without condition always taken."""

    CALLED: ClassVar[str] = "a path of flow.paths"

    from_step: str | None = None
    from_: str | None = Field(None, alias="from")
    to_step: str | None = None
    to: str | None = None
    condition: Condition | None = None


class FlowDefinition(DescribedPart):
    """Where to start, and the paths in the order that joins follow."""

    CALLED: ClassVar[str] = "flow"

    start_at: Name
    paths: list[PathDefinition] = Field(default_factory=list, max_length=MAX_PATHS)


class LoopConfig(DescribedPart):
    """Bounds on cycles of the flow."""

    CALLED: ClassVar[str] = "loop_config"

    max_iterations: int = Field(100, ge=1)
    max_loop_time_seconds: Span | None = None
    iteration_delay_seconds: Seconds = 0.0


class Deadline(DescribedPart):
    """When an execution must be done, and what follows if it is not; one of `after` and `at`."""

    CALLED: ClassVar[str] = "deadline"

    after: Span | None = None  # Seconds from the start of the first step.
    at: str | None = None  # A time with its zone, or a template of one.
    then: Name = "fail"  # Or the step that the flow goes to.


class PipelineDefinition(Part):
    """A pipeline as it is written down."""

    CALLED: ClassVar[str] = "the pipeline"
    SINCE_2: ClassVar[frozenset[str]] = frozenset(
        {"$schema", "timeout_seconds", "start_within_seconds", "deadline"}
    )

    schema_: str | None = Field(None, alias="$schema")  # For editors.
    name: Name
    version: str | int | float | None = None
    parameters: list[ParameterDeclaration] | JsonObject | None = None
    steps: list[AnyStep] = Field(min_length=1, max_length=MAX_STEPS)
    flow: FlowDefinition
    input_schema: Schema | None = None
    output_schema: Schema | None = None
    outputs: list[InputDeclaration] | JsonObject | None = None
    metadata: JsonObject | None = None
    loop_config: LoopConfig | None = None
    on_failure: Literal["compensate"] | None = None
    # Seconds that an execution may take from the start of its first step.
    timeout_seconds: Span | None = None
    # Seconds from the command, or from `not_before`, within which the first step must start.
    start_within_seconds: Span | None = None
    deadline: Deadline | None = None
    # Executions in flight at once: in each executor process, and of each concurrency key anywhere.
    max_concurrency: PositiveInt | None = None
    max_concurrency_per_key: PositiveInt | None = None
    # Dotted paths of fields that are masked where payloads are shown, such as `card.number`; `*` is
    # any one key, and a path matches at any depth.
    secrets: list[str] = Field(default_factory=list)


def definition_schema() -> JsonObject:
    """Return the JSON Schema of the format, for editors and other tools."""
    schema: dict[str, Any] = linked(PipelineDefinition.model_json_schema(by_alias=True))
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["$id"] = "https://steplog.dev/schemas/definition.json"
    schema["title"] = "steplog pipeline definition"
    schema["$defs"]["Condition"] = condition_schema()
    schema["$defs"]["PathDefinition"]["allOf"] = [
        {"anyOf": [{"required": ["from_step"]}, {"required": ["from"]}]},
        {"anyOf": [{"required": ["to_step"]}, {"required": ["to"]}]},
    ]
    return schema
