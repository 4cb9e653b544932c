"""Templates in definitions, compiled once: `{{ parameters.x }}`, `{steps.load.output.rows}`.

A string that is one whole template keeps the value's type; inside a longer string the value is
rendered as text (text as it is, anything else as JSON). `A|B` takes the first that resolves. A
value that comes out of a template is never read as a template again, so none can refer to itself.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from executor_service.engine.expressions import Expression, alternatives, value_of
from executor_service.engine.references import Reading, Reference, Root, parse_template
from executor_service.engine.template_ids import TemplateNames
from executor_service.engine.values import ABSENT, Absent, copy_json
from executor_service.errors import TextTooLong, Unresolved
from steplog_contracts.limits import MAX_UNSTORED_BYTES
from steplog_contracts.payload import JsonObject, JsonValue

# What an event can carry where no store is: no value may be larger then.
MAX_RENDERED_CHARS: Final = MAX_UNSTORED_BYTES
# No repetition inside another: a definition of a million blanks is read in one pass.
_DOUBLE = re.compile(r"\{\{([^{}]*)\}\}")
# A source is one brace around a known root; other text in single braces is the user's own.
_SINGLE = r"\{\s*((?:parameters|pipeline_input|pipeline_data|steps)\b[^{}]*)\}"
_SOURCE = re.compile(rf"\s*{_SINGLE}(?:\s*\|\s*{_SINGLE})*\s*")
_EACH_SOURCE = re.compile(_SINGLE)


@dataclass(frozen=True, slots=True)
class Choice:
    """Alternatives, the first that resolves wins."""

    references: tuple[Expression, ...]
    text: str

    def value(self, reading: Reading) -> JsonValue | Absent:
        """Return the value found, or ABSENT."""
        for reference in self.references:
            found = value_of(reference, reading)
            if found is not ABSENT:
                return found
        return ABSENT


@dataclass(frozen=True, slots=True)
class Text:
    """A longer string with templates in it."""

    parts: tuple["str | Choice", ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """An object or array with templates somewhere inside."""

    node: "dict[str, Template] | list[Template]"


Template = Choice | Text | Tree | str | int | float | bool | None


def compile_template(
    value: JsonValue, step_ids: Collection[str], *, sources: bool = False
) -> Template:
    """Compile any JSON value. `sources` also reads the single-brace form (inputs and outputs)."""
    if isinstance(value, str):
        return _compile_text(value, step_ids, sources=sources)
    if isinstance(value, dict):
        return Tree({k: compile_template(v, step_ids, sources=sources) for k, v in value.items()})
    if isinstance(value, list):
        return Tree([compile_template(v, step_ids, sources=sources) for v in value])
    constant: int | float | bool | None = value
    return constant


def _compile_text(text: str, step_ids: Collection[str], *, sources: bool) -> Template:
    if sources and _SOURCE.fullmatch(text):
        inner = "|".join(match.group(1) for match in _EACH_SOURCE.finditer(text))
        return _choice(inner, step_ids, text)
    if "{{" not in text:
        return text
    parts: list[str | Choice] = []
    end = 0
    for match in _DOUBLE.finditer(text):
        if not match.group(1).strip():
            continue  # Two empty pairs of braces are the user's own text.
        parts.extend(filter(None, [text[end : match.start()]]))
        parts.append(_choice(match.group(1), step_ids, match.group(0)))
        end = match.end()
    parts.extend(filter(None, [text[end:]]))
    if len(parts) <= 1:
        return parts[0] if parts else text
    return Text(tuple(parts))


def _choice(inner: str, step_ids: Collection[str], text: str) -> Choice:
    if isinstance(step_ids, TemplateNames) and step_ids.functions:
        return Choice(tuple(step_ids.expression(part, text) for part in alternatives(inner)), text)
    return Choice(tuple(parse_template(part, step_ids) for part in inner.split("|")), text)


@dataclass(slots=True)
class Room:
    """How much text may still be put together in one rendering."""

    chars: int = MAX_RENDERED_CHARS

    def take(self, text: str, where: str) -> str:
        """Count a part of a text.

        Raises:
            TextTooLong: that is more than there is room for.
        """
        self.chars -= len(text)
        if self.chars < 0:
            raise TextTooLong(
                f"{where} puts more than {MAX_RENDERED_CHARS} characters of text together; hand "
                "values over whole, as inputs, and not inside texts."
            )
        return text


def render(template: Template, reading: Reading, where: str, room: Room | None = None) -> JsonValue:
    """Return the value with every template resolved; a fresh one, except for shared leaves.

    Raises:
        Unresolved: a template leads nowhere; the message names it and where it stands.
        TextTooLong: its texts are longer than `room`, or than one rendering may make.
    """
    room = room or Room()
    match template:
        case Choice():
            return _required(template, reading, where)
        case Text(parts):
            return "".join(
                room.take(
                    part if isinstance(part, str) else as_text(_required(part, reading, where)),
                    where,
                )
                for part in parts
            )
        case Tree(dict() as node):
            return {
                key: render(item, reading, f"{where}.{key}", room) for key, item in node.items()
            }
        case Tree(list() as items):
            return [render(item, reading, f"{where}[{i}]", room) for i, item in enumerate(items)]
        case _:
            return template


def render_optional(
    template: Template, reading: Reading, where: str = "", room: Room | None = None
) -> JsonValue | Absent:
    """Return the value, or ABSENT if any template in it leads nowhere."""
    try:
        return render(template, reading, where, room)
    except Unresolved:
        return ABSENT


def _required(choice: Choice, reading: Reading, where: str) -> JsonValue:
    found = choice.value(reading)
    if found is ABSENT:
        raise Unresolved(
            f"{where} asks for {choice.text}, which leads nowhere; give a value, add an "
            "alternative with '|', or make the input not required."
        )
    return found


def as_text(value: JsonValue) -> str:
    """Return how a value reads inside a longer string."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def choices_in(template: Template) -> Iterator[Choice]:
    """Go through every alternative group in a compiled value, for checks."""
    match template:
        case Choice():
            yield template
        case Text(parts):
            yield from (part for part in parts if isinstance(part, Choice))
        case Tree(dict() as node):
            for item in node.values():
                yield from choices_in(item)
        case Tree(list() as items):
            for item in items:
                yield from choices_in(item)
        case _:
            return


def is_constant(template: Template) -> bool:
    """Say whether there is nothing to resolve."""
    return next(choices_in(template), None) is None


def steps_named(choice: Choice) -> list[str] | None:
    """Return the steps the alternatives name, or None if one could resolve without any step."""
    names: list[str] = []
    for reference in choice.references:
        if (
            not isinstance(reference, Reference)
            or reference.root is not Root.STEP
            or reference.data_keys is not None
        ):
            return None
        names.append(reference.step_id or "")
    return names


@dataclass(frozen=True, slots=True)
class Input:
    """One declared input of a step, or output of a pipeline."""

    name: str
    template: Template
    required: bool
    default: JsonValue | Absent = ABSENT


def render_inputs(inputs: tuple[Input, ...], reading: Reading, where: str) -> JsonObject:
    """Return the overlay: every input that resolves or has a default.

    Raises:
        Unresolved: a required one leads nowhere and has no default.
    """
    overlay: JsonObject = {}
    room = Room()
    for declared in inputs:
        value = _input_value(declared, reading, where, room)
        if value is not ABSENT:
            overlay[declared.name] = value
    return overlay


def _input_value(declared: Input, reading: Reading, where: str, room: Room) -> JsonValue | Absent:
    value = render_optional(declared.template, reading, where, room)
    if value is not ABSENT:
        return value
    if declared.default is not ABSENT:
        return copy_json(declared.default)
    if declared.required:
        return render(declared.template, reading, f"{where}.{declared.name}", room)
    return ABSENT
