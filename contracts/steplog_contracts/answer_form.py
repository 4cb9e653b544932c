"""What a question to a person asks for: the form of its answer, and who may give it.

`ui_schema` is a JSON Schema of the answer. Every keyword of JSON Schema is enforced, `format` too;
keywords it does not know (`ui:widget`, `placeholder`) are for pages alone and ignored. Three habits
of forms are understood: `required: true` inside a property, `properties` without a `type`, and that
an empty text is no answer to a required field.

Those who validate bring their own validator, so that this package needs none.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from steplog_contracts.payload import JsonObject, JsonValue

# Of one answer, in what its sender is shown.
MAX_REASONS: Final = 10
MAX_REASON_CHARS: Final = 300
MAX_FORM_DEPTH_LEVELS: Final = 20
MAX_ASSIGNED_USERS: Final = 1_000
# Only a schema with one of these is taken for a form; others are another language's.
_OF_A_FORM: Final = frozenset({"properties", "required", "$schema", "additionalProperties"})
_OF_OBJECTS: Final = frozenset({"properties", "required"})


class FieldProblem(Protocol):
    """One thing that is wrong with an answer, as validators of JSON Schema tell it."""

    @property
    def instance_path(self) -> Sequence[str | int]:
        """Where it is in the answer."""

    @property
    def message(self) -> str:
        """What is wrong there."""


class Validator(Protocol):
    """A compiled schema."""

    def iter_errors(self, instance: Any) -> Iterable[FieldProblem]:
        """Yield everything wrong with a value."""


# Compiles a schema; raises whatever it raises for what is none.
Compile = Callable[[JsonObject], Validator]


def is_form(ui_schema: JsonValue) -> bool:
    """Say whether a `ui_schema` means to be a JSON Schema of an object."""
    return isinstance(ui_schema, Mapping) and not _OF_A_FORM.isdisjoint(ui_schema)


def answer_schema(ui_schema: JsonValue) -> JsonObject | None:
    """Return the JSON Schema an answer is held to; None where nothing is said of its form."""
    if not isinstance(ui_schema, Mapping) or not ui_schema:
        return None
    return _schema(ui_schema, MAX_FORM_DEPTH_LEVELS)


def _schema(form: Mapping[str, Any], levels_left: int) -> JsonObject:
    schema = dict(form)
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and levels_left > 0:
        marked = [name for name, one in properties.items() if _marked_required(one)]
        schema["properties"] = {
            name: _schema(_without_mark(one), levels_left - 1) if isinstance(one, Mapping) else one
            for name, one in properties.items()
        }
        listed = schema.get("required", [])
        if marked and isinstance(listed, list):
            schema["required"] = [*listed, *(name for name in marked if name not in listed)]
    if "type" not in schema and not _OF_OBJECTS.isdisjoint(schema):
        schema["type"] = "object"
    return schema


def _marked_required(one: object) -> bool:
    return isinstance(one, Mapping) and one.get("required") is True


def _without_mark(one: Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(one.get("required"), bool):
        return {name: value for name, value in one.items() if name != "required"}
    return one


def answer_problems(ui_schema: JsonValue, answer: JsonValue, compiled: Compile) -> tuple[str, ...]:
    """Return why an answer does not fit a question, a field each; nothing where it does.

    The texts name fields and what they take, never what was answered: it may be a secret. Raises
    what `compiled` raises for a schema that is none.
    """
    schema = answer_schema(ui_schema)
    if schema is None:
        return ()
    reasons: dict[str, str] = {}
    for problem in compiled(schema).iter_errors(answer):
        place = _place(problem.instance_path)
        reasons.setdefault(f"{place}{problem.message}"[:MAX_REASON_CHARS], place)
        if len(reasons) >= MAX_REASONS:
            break
    told = {place for place in reasons.values() if place}
    empty = (name for name in _left_empty(schema, answer) if f"{name}: " not in told)
    return (*reasons, *(f"{name}: an answer is required here" for name in empty))[:MAX_REASONS]


def answer_refusal(step_id: str, problems: Sequence[str]) -> str:
    """Return the sentence that refuses an answer."""
    return f"The answer does not fit what step '{step_id}' asks: {'; '.join(problems)}."


def _place(path: Sequence[str | int]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(
        "."
    ) + (": " if path else "")


def _left_empty(schema: JsonObject, answer: JsonValue) -> list[str]:
    """Return required fields whose answer says nothing, though the schema lets it pass."""
    required, properties = schema.get("required"), schema.get("properties")
    if not isinstance(required, list) or not isinstance(answer, Mapping):
        return []
    shapes = properties if isinstance(properties, Mapping) else {}
    return [
        name
        for name in required
        if name in answer and _is_empty(answer[name]) and not _lists_values(shapes.get(name))
    ]


def _is_empty(value: JsonValue) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _lists_values(shape: object) -> bool:
    """Say whether a field's schema lists its values, or says that null is one."""
    if not isinstance(shape, Mapping):
        return False
    types = shape.get("type")
    return "enum" in shape or "const" in shape or (isinstance(types, list) and "null" in types)


def assigned_to(assigned_users: JsonValue) -> tuple[str, ...]:
    """Return the names a question is for, none where it is for anybody; takes what steps return.

    A text or a number is one name. What is nobody's name, in rows of the past, names nobody.
    """
    given = assigned_users if isinstance(assigned_users, list) else [assigned_users]
    names = (_name(one) for one in given[:MAX_ASSIGNED_USERS])
    return tuple(dict.fromkeys(name for name in names if name))


def names_somebody(assigned_users: JsonValue) -> bool:
    """Say whether a step's `assigned_users` can be read: names, one name, or nothing."""
    if assigned_users is None or assigned_users is False:
        return True
    given = assigned_users if isinstance(assigned_users, list) else [assigned_users]
    return len(given) <= MAX_ASSIGNED_USERS and all(_name(one) is not None for one in given)


def may_answer(name: str | None, assigned_users: JsonValue) -> bool:
    """Say whether somebody of that name may answer; who has shown no name is not held to it."""
    names = assigned_to(assigned_users)
    return name is None or not names or name in names


def _name(one: object) -> str | None:
    if isinstance(one, str):
        return one.strip()
    if isinstance(one, int | float) and not isinstance(one, bool):
        return str(one)
    return None
