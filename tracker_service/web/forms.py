"""A form for a person's answer, made from the question's ui_schema (a JSON Schema of an object)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from steplog_contracts.answer_form import answer_schema

MAX_FIELDS: Final = 50
MAX_CHOICES: Final = 200
LONG_TEXT_CHARS: Final = 200

Kind = Literal["choice", "boolean", "number", "integer", "long_text", "text", "json"]


@dataclass(frozen=True, slots=True)
class Field:
    """One input of the form; `kind` also tells the page how to turn it back into JSON."""

    name: str
    label: str
    kind: Kind
    required: bool
    help: str
    default: Any
    choices: tuple[Any, ...] = ()
    least: float | None = None
    most: float | None = None

    @property
    def bounds(self) -> str:
        """Between which numbers the answer lies, in words; empty where it is not said."""
        match self.least, self.most:
            case None, None:
                return ""
            case least, None:
                return f"{least} or more."
            case None, most:
                return f"Up to {most}."
        return f"From {self.least} to {self.most}."


def fields(ui_schema: Any) -> tuple[Field, ...]:
    """Return the inputs; none where the schema has no properties: the answer is then free JSON."""
    schema = answer_schema(ui_schema) or {}
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return ()
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    shown = list(properties.items())[:MAX_FIELDS]
    return tuple(_field(str(name), schema, required=name in names) for name, schema in shown)


def _field(name: str, schema: Any, *, required: bool) -> Field:
    shape = schema if isinstance(schema, Mapping) else {}
    return Field(
        name=name,
        label=str(shape.get("title") or name.replace("_", " ").capitalize()),
        kind=_kind(shape),
        required=required,
        help=str(shape.get("description") or ""),
        default=shape.get("default"),
        choices=_choices(shape),
        least=_number(shape.get("minimum")),
        most=_number(shape.get("maximum")),
    )


def _kind(shape: Mapping[str, Any]) -> Kind:
    if _choices(shape):
        return "choice"
    match shape.get("type"):
        case "boolean":
            return "boolean"
        case "number":
            return "number"
        case "integer":
            return "integer"
        case "string":
            longest = shape.get("maxLength")
            long = isinstance(longest, int) and longest > LONG_TEXT_CHARS
            return "long_text" if long or shape.get("format") == "textarea" else "text"
        case None if not shape:
            return "text"
    return "json"


def _choices(shape: Mapping[str, Any]) -> tuple[Any, ...]:
    listed = shape.get("enum")
    return tuple(listed[:MAX_CHOICES]) if isinstance(listed, list) else ()


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
