"""The format of a pipeline definition, as people write it.

The models say what shape each part has; what a definition means, and what else can be wrong with
it, is the executor's business. Unknown keys are kept and warned of, never fatal. Where two
spellings of a key mean the same, both are fields here and a check asks for one of them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, ValidationInfo

from steplog_contracts.payload import JsonObject, JsonValue

# A definition is read and checked as a whole, so its size is bounded.
MAX_STEPS = 20_000
MAX_PATHS = 100_000
MAX_NAME_CHARS = 500

_Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
# A task runs code; so does `human`, which says that it asks a person. A condition runs none. Types
# that begin with `x-` are people's own names for tasks.
STEP_TYPES = ("task", "human", "condition")
# A hundred years: what is added to a time must still be one.
MAX_SECONDS = 100 * 366 * 24 * 3600
# Context of a validation: the definition is recorded already, so what was allowed then still is.
RECORDED = "recorded"


def _no_longer_than_ever(value: Any, info: ValidationInfo) -> Any:
    """Shorten a span of a recorded definition; in a new one it is refused."""
    is_recorded = info.context is not None and info.context.get(RECORDED)
    return min(value, MAX_SECONDS) if is_recorded and isinstance(value, int | float) else value


_Shortened = BeforeValidator(_no_longer_than_ever)
_Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False), _Shortened]
_Span = Annotated[float, Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False), _Shortened]
_Schema = JsonObject | bool


class Part(BaseModel):
    """A part of a definition; unknown keys are kept."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)


class Retry(Part):
    """How often and when a failed attempt is tried again; delays are seconds."""

    max_attempts: int = Field(3, ge=1, le=1_000)
    initial_delay: _Seconds = 1.0
    max_delay: _Seconds = 60.0
    exponential_base: float = Field(2.0, ge=1, allow_inf_nan=False)
    jitter: bool = True
    retryable_exceptions: list[str] = Field(default_factory=list)
    non_retryable_exceptions: list[str] = Field(default_factory=list)


class ErrorHandling(Part):
    """What follows when a step fails; without `retry` an exception is not tried again."""

    continue_on_error: bool = False
    enable_fallback: bool = False
    retry: Retry | None = None
    timeout_seconds: _Span | None = None


class InputDeclaration(Part):
    """One input of a step, or one output of the pipeline."""

    name: _Name
    source: JsonValue = None
    required: bool = False
    default: JsonValue = None


class ParameterDeclaration(Part):
    """One parameter of the pipeline."""

    name: _Name
    default: JsonValue = None
    required: bool = False


class StepDefinition(Part):
    """A step: which class runs, with what."""

    id: _Name
    name: str | None = None  # For display; the id where absent.
    type: str = "task"
    module: str | None = None
    step_class: str | None = None
    class_: str | None = Field(None, alias="class")
    config: JsonObject = Field(default_factory=dict)
    inputs: list[InputDeclaration] | JsonObject | None = None
    outputs: JsonValue = None  # Documentation only.
    input_schema: _Schema | None = None
    output_schema: _Schema | None = None
    error_handling: ErrorHandling | None = None
    # Of a step of type `condition`, which runs no code.
    condition: JsonObject | None = None
    then: str | list[str] | None = None
    else_: str | list[str] | None = Field(None, alias="else")


class PathDefinition(Part):
    """A path from a step to another one or to an end marker; without condition always taken."""

    from_step: str | None = None
    from_: str | None = Field(None, alias="from")
    to_step: str | None = None
    to: str | None = None
    condition: JsonObject | None = None


class FlowDefinition(Part):
    """Where to start, and the paths in the order that joins follow."""

    start_at: _Name
    paths: list[PathDefinition] = Field(default_factory=list, max_length=MAX_PATHS)


class LoopConfig(Part):
    """Bounds on cycles of the flow."""

    max_iterations: int = Field(100, ge=1)
    max_loop_time_seconds: _Span | None = None
    iteration_delay_seconds: _Seconds = 0.0


class PipelineDefinition(Part):
    """A pipeline as it is written down."""

    name: _Name
    description: str | None = None
    version: str | int | float | None = None
    parameters: list[ParameterDeclaration] | JsonObject | None = None
    steps: list[StepDefinition] = Field(min_length=1, max_length=MAX_STEPS)
    flow: FlowDefinition
    input_schema: _Schema | None = None
    output_schema: _Schema | None = None
    outputs: list[InputDeclaration] | JsonObject | None = None
    metadata: JsonObject | None = None
    loop_config: LoopConfig | None = None
    on_failure: Literal["compensate"] | None = None
    # Executions in flight at once: in each executor process, and of each concurrency key anywhere.
    max_concurrency: PositiveInt | None = None
    max_concurrency_per_key: PositiveInt | None = None
    # Dotted paths of fields that are masked where payloads are shown, such as `card.number`; `*` is
    # any one key, and a path matches at any depth.
    secrets: list[str] = Field(default_factory=list)


def definition_schema() -> JsonObject:
    """Return the JSON Schema of the format, for editors and other tools."""
    schema: dict[str, Any] = PipelineDefinition.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["$id"] = "https://steplog.dev/schemas/definition.json"
    schema["title"] = "steplog pipeline definition"
    schema["$defs"]["PathDefinition"]["allOf"] = [
        {"anyOf": [{"required": ["from_step"]}, {"required": ["from"]}]},
        {"anyOf": [{"required": ["to_step"]}, {"required": ["to"]}]},
    ]
    return schema
