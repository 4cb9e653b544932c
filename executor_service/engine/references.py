"""Dotted references such as `steps.load.output.rows[0].id`, taken apart once and looked up often.

What a reference may begin with is set by `flow-semantics`: `parameters`, `pipeline_input`,
`pipeline_data`, `steps.<id>.output`, `step_results.<id>`, `result`, a step's id, or a key of the
flowing data.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from executor_service.engine.values import ABSENT, Absent
from steplog_contracts.definition_parts import MAX_NAME_CHARS
from steplog_contracts.payload import JsonValue

_INDEX = re.compile(r"\[(\d+)\]")


class Root(Enum):
    """What a reference is looked up in."""

    DATA = auto()
    PARAMETERS = auto()
    INPUT = auto()
    STEP = auto()
    RESULT = auto()


@dataclass(frozen=True, slots=True)
class Reference:
    """A root, the step it names if any, and the keys to follow from there.

    `step_first`: where both a step and a key of the flowing data bear the name, which one is meant.
    """

    root: Root
    keys: tuple[str, ...]
    step_id: str | None = None
    data_keys: tuple[str, ...] | None = None  # The same text read as keys of the flowing data.
    step_first: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What references are read from, at one moment of one branch.

    `data` may be several layers, the first that has the key wins: so a step's output can be laid
    over the flowing data without merging them.
    """

    data: tuple[dict[str, JsonValue], ...]
    parameters: dict[str, JsonValue]
    pipeline_input: JsonValue
    results: "Results"
    result: JsonValue | Absent = ABSENT
    step_id: str = ""  # The step whose end is decided, where one is.
    execution_id: str = ""
    now: datetime | None = None  # As it is recorded with the beginning of a visit.


class Results:
    """Finds the latest result of a step that a branch can see."""

    def result_of(self, step_id: str) -> JsonValue | Absent:
        """Return the result, or ABSENT where the branch has none of that step."""
        raise NotImplementedError


def split(text: str) -> tuple[str, ...]:
    """Return the keys of a dotted path; `items[0].x` is `items.0.x`."""
    return tuple(_INDEX.sub(r".\1", text.strip()).split("."))


def parse_source(text: str, step_ids: Collection[str]) -> Reference:
    """Read a condition's source: a key of the flowing data goes before a step of that name."""
    keys = split(text)
    if keys[0] == "pipeline_data":
        return Reference(Root.DATA, keys[1:], text=text)
    if keys[0] == "result":
        return Reference(Root.RESULT, keys[1:], text=text)
    return _parse(keys, step_ids, text, step_first=False)


def parse_template(text: str, step_ids: Collection[str]) -> Reference:
    """Read what stands between the braces of a template: a step goes before a key of the data."""
    keys = split(text)
    if keys[0] == "pipeline_data":
        return Reference(Root.DATA, keys[1:], text=text)
    return _parse(keys, step_ids, text, step_first=True)


def _parse(
    keys: tuple[str, ...], step_ids: Collection[str], text: str, *, step_first: bool
) -> Reference:
    head, rest = keys[0], keys[1:]
    if head == "parameters":
        return Reference(Root.PARAMETERS, rest, text=text)
    if head == "pipeline_input":
        return Reference(Root.INPUT, rest, text=text)
    if head == "step_results" and rest:
        step_id, after = _named_step(rest, step_ids)
        return Reference(Root.STEP, after, step_id, text=text)
    if head == "steps" and rest:
        step_id, after = _named_step(rest, step_ids)
        return Reference(Root.STEP, after[1:] if after[:1] == ("output",) else after, step_id,
                         text=text)  # fmt: skip
    step_id, after = _named_step(keys, step_ids)
    if step_id in step_ids:
        return Reference(Root.STEP, after, step_id, keys, step_first, text)
    return Reference(Root.DATA, keys, text=text)


def _named_step(keys: tuple[str, ...], step_ids: Collection[str]) -> tuple[str, tuple[str, ...]]:
    # Ids may hold dots, so the longest run of keys that is an id wins. None is longer than ids are.
    longest, chars = 0, -1
    while longest < len(keys) and (chars := chars + 1 + len(keys[longest])) <= MAX_NAME_CHARS:
        longest += 1
    for length in range(longest, 0, -1):
        candidate = ".".join(keys[:length])
        if candidate in step_ids:
            return candidate, keys[length:]
    return keys[0], keys[1:]


def resolve(reference: Reference, reading: Reading) -> JsonValue | Absent:
    """Return what the reference leads to, or ABSENT."""
    match reference.root:
        case Root.DATA:
            return _in_layers(reading.data, reference.keys)
        case Root.PARAMETERS:
            return follow(reading.parameters, reference.keys)
        case Root.INPUT:
            return follow(reading.pipeline_input, reference.keys)
        case Root.RESULT:
            return follow(reading.result, reference.keys)
        case Root.STEP:
            return _step_or_data(reference, reading)


def _step_or_data(reference: Reference, reading: Reading) -> JsonValue | Absent:
    assert reference.step_id is not None
    if reference.data_keys is None:
        return follow(reading.results.result_of(reference.step_id), reference.keys)
    in_data = _in_layers(reading.data, reference.data_keys)
    if in_data is not ABSENT and not reference.step_first:
        return in_data
    in_step = follow(reading.results.result_of(reference.step_id), reference.keys)
    return in_data if in_step is ABSENT else in_step


def _in_layers(
    layers: tuple[dict[str, JsonValue], ...], keys: tuple[str, ...]
) -> JsonValue | Absent:
    if not keys:
        return {key: value for layer in reversed(layers) for key, value in layer.items()}
    for layer in layers:
        if keys[0] in layer:
            return follow(layer[keys[0]], keys[1:])
    return ABSENT


def follow(value: JsonValue | Absent, keys: tuple[str, ...]) -> JsonValue | Absent:
    """Go down through objects by key and through arrays by index; ABSENT where there is no way."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key, ABSENT)
        elif isinstance(value, list) and key.isascii() and key.isdigit():
            index = int(key)
            value = value[index] if index < len(value) else ABSENT
        else:
            return ABSENT
    return value
