"""The types of steps: a small closed set, with the keys of each.

A type is added by a model of its keys and an entry in `STEP_MODELS`; how it is run is the
executor's business. Types that begin with `x-` are people's own names for tasks.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, GetJsonSchemaHandler, PositiveInt, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from steplog_contracts.conditions import Condition
from steplog_contracts.definition_parts import (
    FIRST_LANGUAGE,
    FREE_PREFIX,
    LANGUAGE_KEY,
    Compensation,
    ErrorHandling,
    InputDeclaration,
    Name,
    Part,
    Schema,
    is_recorded,
    is_strict,
    language_of,
)
from steplog_contracts.payload import JsonObject, JsonValue

TASK: Final = "task"
# Bounds of a map: visits open at once, and items given to one visit.
MAX_ITEMS_AT_ONCE: Final = 1_000
MAX_BATCH_ITEMS: Final = 10_000
MAX_CATCHES: Final = 100
MAX_CASES: Final = 1_000
MAX_RESPONSE_BYTES: Final = 50_000_000


class Catch(Part):
    """Where the flow goes after errors of some kinds, once the step has failed for good."""

    CALLED: ClassVar[str] = "an entry of catch"

    errors: list[Name] = Field(min_length=1)  # Names of classes or of their bases; `*` is any.
    to: Name
    as_: Name | None = Field(None, alias="as")  # The key of the flowing data the error is laid at.


class Join(Part):
    """How many branches a step waits for, and what becomes of the rest."""

    CALLED: ClassVar[str] = "join"

    when: Literal["all", "any"] | PositiveInt = "all"
    rest: Literal["cancel", "leave"] | None = None


class StepDefinition(Part):
    """What steps of every type have."""

    SINCE_2: ClassVar[frozenset[str]] = frozenset({"description", "effects", "catch", "join"})

    id: Name
    name: str | None = None  # For display; the id where absent.
    type: str = TASK
    inputs: list[InputDeclaration] | JsonObject | None = None
    # Says that running it again, or before its beginning is on record, harms nobody.
    effects: Literal["none"] | None = None
    catch: list[Catch] = Field(default_factory=list, max_length=MAX_CATCHES)
    join: Join | None = None


class TaskStep(StepDefinition):
    """A step that runs a class: of type `task`, or `human`, which says that it asks a person."""

    SINCE_2: ClassVar[frozenset[str]] = StepDefinition.SINCE_2 | {"compensate"}

    module: str | None = None
    step_class: str | None = None
    class_: str | None = Field(None, alias="class")
    config: JsonObject = Field(default_factory=dict)
    outputs: JsonValue = None  # Documentation only.
    input_schema: Schema | None = None
    output_schema: Schema | None = None
    error_handling: ErrorHandling | None = None
    # How it is undone; a method `compensate` of its class where this is absent, false for none.
    compensate: Compensation | str | bool | None = None


class ConditionStep(TaskStep):
    """A step of type `condition`: it runs no code and says which of two ways the flow goes."""

    condition: Condition | None = None
    then: str | list[str] | None = None
    else_: str | list[str] | None = Field(None, alias="else")


class ItemStep(TaskStep):
    """The step that each item of a map visits; it has no id of its own."""

    id: str = ""


class MapStep(StepDefinition):
    """A step of type `map`: it does one thing for each item of a list."""

    items: JsonValue  # A template of the list, or the list itself.
    item_name: Name = "item"
    step: ItemStep | None = None
    pipeline: Name | None = None  # In place of a step: another pipeline runs for each item.
    max_concurrency: int = Field(20, ge=1, le=MAX_ITEMS_AT_ONCE)
    # How many items may fail: a number, or a share of all such as "1%".
    tolerated_failures: int | str = 0
    batch_size: int | None = Field(None, ge=1, le=MAX_BATCH_ITEMS)
    output_schema: Schema | None = None
    error_handling: ErrorHandling | None = None


class SwitchCase(Part):
    """A condition, and where the flow goes if it is the first that holds."""

    CALLED: ClassVar[str] = "an entry of cases"

    condition: Condition
    to: Name


class SwitchStep(StepDefinition):
    """A step of type `switch`: it runs no code and goes one of several ways."""

    cases: list[SwitchCase] = Field(min_length=1, max_length=MAX_CASES)
    default: Name


class PipelineStep(StepDefinition):
    """A step of type `pipeline`: it has another pipeline run, and ends as that does."""

    pipeline: Name | None = None  # One that the executor knows by name.
    definition: JsonObject | None = None  # Or its definition, written here.
    input: JsonValue = None  # Templates; the flowing data where absent.
    wait: bool = True
    on_parent_end: Literal["cancel", "leave"] = "cancel"
    # The class that undoes what a completed child did; without it nothing does.
    compensate: Compensation | None = None
    output_schema: Schema | None = None
    error_handling: ErrorHandling | None = None


class BuiltInStep(StepDefinition):
    """A step that is part of the language: it runs no code of users."""

    def settings(self) -> JsonObject:
        """Return what only steps of its type have, by the keys as they are written."""
        shared = {*StepDefinition.model_fields, "error_handling", "output_schema"}
        own = type(self).model_fields.keys() - shared
        return {name: getattr(self, name) for name in own if getattr(self, name) is not None}


class SetStep(BuiltInStep):
    """A step of type `set`: its values, templates resolved, are laid over the data."""

    values: JsonObject


class NoopStep(BuiltInStep):
    """A step of type `noop`: it does nothing."""


class FailStep(BuiltInStep):
    """A step of type `fail`: it fails with an error of this name, which `catch` knows it by."""

    error: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")] = "FlowFailed"
    message: str | None = None


class WaitStep(BuiltInStep):
    """A step of type `wait`: for some seconds, or until a time; each may be a template."""

    seconds: float | str | None = None
    until: str | None = None


class HttpStep(BuiltInStep):
    """A step of type `http`: one request to a host that the executor's settings allow."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: Annotated[str, Field(min_length=1)]
    headers: JsonObject | None = None
    body: JsonValue = None  # A text is sent as it is, anything else as JSON.
    expect: list[int] | None = None  # The statuses of success; 200 to 299 where absent.
    retry_statuses: list[int] = Field(default=[408, 425, 429, 500, 502, 503, 504])
    max_response_bytes: int = Field(1_000_000, ge=0, le=MAX_RESPONSE_BYTES)
    output_schema: Schema | None = None
    error_handling: ErrorHandling | None = None


class KafkaStep(BuiltInStep):
    """A step of type `kafka`: one record to a topic that the executor's settings allow."""

    topic: Annotated[str, Field(min_length=1)]
    key: str | None = None
    value: JsonValue  # A text is sent as it is, anything else as JSON.
    headers: JsonObject | None = None
    output_schema: Schema | None = None
    error_handling: ErrorHandling | None = None


STEP_MODELS: Final[dict[str, type[StepDefinition]]] = {
    TASK: TaskStep,
    "human": TaskStep,
    "condition": ConditionStep,
    "map": MapStep,
    "switch": SwitchStep,
    "set": SetStep,
    "noop": NoopStep,
    "fail": FailStep,
    "wait": WaitStep,
    "http": HttpStep,
    "kafka": KafkaStep,
    "pipeline": PipelineStep,
}
STEP_TYPES: Final = tuple(STEP_MODELS)


def is_step_type(name: str) -> bool:
    """Say whether a step may be of this type."""
    return name in STEP_MODELS or name.startswith(FREE_PREFIX)


def read_step(written: Any, info: ValidationInfo) -> StepDefinition:
    """Read a step as its type asks for; one of an unknown type as a task.

    In the first language every step was one and the same, whatever its type. A recorded step that
    does not fit its type is read like that too: it is to be shown, or refused elsewhere.
    """
    if isinstance(written, StepDefinition):
        return written
    context = info.context
    if language_of(info) == FIRST_LANGUAGE:
        return ConditionStep.model_validate(written, context=context)
    kind = written.get("type", TASK) if isinstance(written, dict) else TASK
    model = STEP_MODELS.get(kind, TaskStep) if isinstance(kind, str) else TaskStep
    try:
        return model.model_validate(written, context=context, strict=is_strict(info))
    except ValidationError:
        if not is_recorded(info):
            raise
        first = {**(context or {}), LANGUAGE_KEY: FIRST_LANGUAGE}
        return ConditionStep.model_validate(written, context=first)


class _ByType:
    """Reads each step by the model of its type, and publishes all of them."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: Callable[[Any], CoreSchema]
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(read_step)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonObject:
        models: dict[type[StepDefinition], list[str]] = {}
        for name, model in STEP_MODELS.items():
            models.setdefault(model, []).append(name)
        own_name = {"type": "string", "pattern": f"^{FREE_PREFIX}"}
        return {
            "type": "object",
            "required": ["id"],
            "properties": {"type": {"anyOf": [{"enum": list(STEP_TYPES)}, own_name]}},
            "allOf": [
                {
                    "if": _of_types(names, own_name if model is TaskStep else None),
                    "then": handler(model.__pydantic_core_schema__),
                }
                for model, names in models.items()
            ],
        }


def _of_types(names: list[str], own_name: JsonObject | None) -> JsonObject:
    if own_name is None:
        return {"properties": {"type": {"enum": names}}, "required": ["type"]}
    return {"properties": {"type": {"anyOf": [{"enum": names}, own_name]}}}


AnyStep = Annotated[StepDefinition, _ByType()]
