"""What every part of a definition has in common: free keys, spans of time, older languages.

The models of a definition are the one table of its keys. The refusal of an unknown key, the key
that may have been meant, the published JSON Schema and what is read all come from their fields: a
construct is added by adding a model, or a field and its name in `SINCE_2`.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from steplog_contracts.payload import JsonObject, JsonValue

# The rules that definitions are read and run by. An execution goes on by those it began under: 1
# passes over what it does not know, 2 refuses it (see `docs/flow.md`, rule 1).
FIRST_LANGUAGE: Final = 1
LANGUAGE: Final = 2
# Keys people may add for themselves at every level; the first is a field of the pipeline as well.
FREE_KEY: Final = "metadata"
FREE_PREFIX: Final = "x-"
MAX_NAME_CHARS: Final = 500
# A hundred years: what is added to a time must still be one.
MAX_SECONDS: Final = 100 * 366 * 24 * 3600
# Context of a validation: the definition is recorded already, so what was allowed then still is.
RECORDED: Final = "recorded"
# Context of a validation: the number of the language; the newest where it is absent.
LANGUAGE_KEY: Final = "language"
# Context of a validation: a text is no number and a number no text.
STRICT: Final = "strict"


def is_free(key: str) -> bool:
    """Say whether a key is one that people may add for themselves."""
    return key == FREE_KEY or key.startswith(FREE_PREFIX)


def language_of(info: ValidationInfo) -> int:
    """Return the language that a validation reads by."""
    return int((info.context or {}).get(LANGUAGE_KEY, LANGUAGE))


def is_strict(info: ValidationInfo) -> bool:
    """Say whether values must be of the very type that is asked for."""
    return bool((info.context or {}).get(STRICT))


def is_recorded(info: ValidationInfo) -> bool:
    """Say whether what is validated is on record already."""
    return bool((info.context or {}).get(RECORDED))


def _no_longer_than_ever(value: Any, info: ValidationInfo) -> Any:
    """Shorten a span of a recorded definition; in a new one it is refused."""
    if is_recorded(info) and isinstance(value, int | float):
        return min(value, MAX_SECONDS)
    return value


_Shortened = BeforeValidator(_no_longer_than_ever)
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False), _Shortened]
Span = Annotated[float, Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False), _Shortened]
Schema = JsonObject | bool


def _closed(schema: dict[str, Any]) -> None:
    schema["additionalProperties"] = False
    schema["patternProperties"] = {f"^{FREE_PREFIX}": {}}
    schema.setdefault("properties", {}).setdefault(FREE_KEY, {})


class Part(BaseModel):
    """A part of a definition. Unknown keys are kept, for who refuses them to name them."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_closed)

    CALLED: ClassVar[str] = "this part"  # How it is named to people.
    # Fields that came with language 2: one of these names in an older definition means nothing.
    SINCE_2: ClassVar[frozenset[str]] = frozenset()

    description: str | None = None  # For people.

    @model_validator(mode="before")
    @classmethod
    def _only_what_the_language_knows(cls, written: Any, info: ValidationInfo) -> Any:
        if language_of(info) > FIRST_LANGUAGE or not isinstance(written, dict):
            return written
        return {key: value for key, value in written.items() if key not in cls.SINCE_2}


class DescribedPart(Part):
    """A part whose `description` came with language 2."""

    SINCE_2: ClassVar[frozenset[str]] = frozenset({"description"})


class Retry(DescribedPart):
    """How often and when a failed attempt is tried again; delays are seconds."""

    CALLED: ClassVar[str] = "error_handling.retry"

    max_attempts: int = Field(3, ge=1, le=1_000)
    initial_delay: Seconds = 1.0
    max_delay: Seconds = 60.0
    exponential_base: float = Field(2.0, ge=1, allow_inf_nan=False)
    jitter: bool = True
    retryable_exceptions: list[str] = Field(default_factory=list)
    non_retryable_exceptions: list[str] = Field(default_factory=list)


class ErrorHandling(DescribedPart):
    """What follows when a step fails; without `retry` an exception is not tried again."""

    CALLED: ClassVar[str] = "error_handling"
    SINCE_2: ClassVar[frozenset[str]] = frozenset({"description", "heartbeat_timeout_seconds"})

    continue_on_error: bool = False
    enable_fallback: bool = False
    retry: Retry | None = None
    timeout_seconds: Span | None = None
    # A step that says nothing by heartbeat() for so long is taken for lost, and tried again.
    heartbeat_timeout_seconds: Span | None = None


class Compensation(DescribedPart):
    """How a completed step is undone: by a method of its class, or by a class of its own."""

    CALLED: ClassVar[str] = "compensate"

    method: str | None = None
    module: str | None = None
    step_class: str | None = None
    class_: str | None = Field(None, alias="class")
    config: JsonObject = Field(default_factory=dict)
    retry: Retry | None = None
    timeout_seconds: Span | None = None


class InputDeclaration(DescribedPart):
    """One input of a step, or one output of the pipeline."""

    CALLED: ClassVar[str] = "an entry of inputs or outputs"

    name: Name
    source: JsonValue = None
    required: bool = False
    default: JsonValue = None


class ParameterDeclaration(DescribedPart):
    """One parameter of the pipeline."""

    CALLED: ClassVar[str] = "an entry of parameters"

    name: Name
    default: JsonValue = None
    required: bool = False


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys that a part may have, as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def parts_in(part: BaseModel, where: str) -> Iterator[tuple[BaseModel, str]]:
    """Go through a part and all parts inside it, each with its JSON path."""
    yield part, where
    for name, field in type(part).model_fields.items():
        value, place = getattr(part, name), f"{where}.{field.alias or name}"
        for index, item in enumerate(value) if isinstance(value, list) else ():
            if isinstance(item, BaseModel):
                yield from parts_in(item, f"{place}[{index}]")
        if isinstance(value, BaseModel):
            yield from parts_in(value, place)
