"""What a JSON Schema can cost to check: counted when it is read, since a check can't be stopped.

A validator visits a value once for each way that leads down to it through references and branches.
Forty definitions that each name the next one twice are 2^40 ways, in a schema of two kilobytes. The
count here is an upper bound over the ways along one path into a value.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final
from urllib.parse import unquote

from steplog_contracts.pattern_size import pattern_size
from steplog_contracts.payload import MAX_JSON_DEPTH_LEVELS, JsonObject, JsonValue

MAX_WAYS: Final = 100_000
MAX_REFERENCE_DEPTH_LEVELS: Final = 200
MAX_LOOKUPS: Final = 2_000_000  # Of targets of references, and of schemas for each depth.
MAX_SCHEMAS: Final = 20_000  # Inside one another; a second to go through.
MAX_PATTERN_NODES: Final = 200_000  # Of all the patterns; half a second to compile.

_IN_PLACE_LISTS: Final = ("allOf", "anyOf", "oneOf")
_IN_PLACE: Final = ("not", "if", "then", "else")
_IN_PLACE_BY_NAME: Final = ("dependentSchemas", "dependencies")
_ALTERNATIVE_CHILDREN: Final = ("properties", "prefixItems", "items")  # Of these one, by name.
_OBJECT_CHILDREN: Final = ("additionalProperties", "unevaluatedProperties", "propertyNames")
_ARRAY_CHILDREN: Final = ("items", "additionalItems", "contains", "unevaluatedItems")
# What only a backtracking engine matches, some thousand steps of it for one text.
_FANCY: Final = re.compile(r"\(\?(?:[=!>(]|<[=!])|\\[1-9kKG]|[*+?}]\+")
_FANCY_WEIGHT: Final = 2_500
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_LEADING_ON: Final = frozenset(_IN_PLACE_LISTS + _IN_PLACE + _IN_PLACE_BY_NAME).union(
    _ALTERNATIVE_CHILDREN, _OBJECT_CHILDREN, _ARRAY_CHILDREN, _REFERENCES, ["patternProperties"]
)
_NAMES: Final = ("$id", "id", "$anchor", "$dynamicAnchor")


class SchemaTooCostly(ValueError):
    """A schema whose check could take for ever; the text says why."""


@dataclass(frozen=True, slots=True)
class SchemaCost:
    """The ways by which a value's leaves are reached, for values of each depth.

    `ways[d]` is for a value of d levels; deeper than the list goes, it is the last one or, where
    `deepest` says so, too many.
    """

    ways: tuple[int, ...]
    deepest: int = MAX_JSON_DEPTH_LEVELS

    @property
    def deepest_is_any(self) -> bool:
        """Whether values of every depth can be checked."""
        return self.deepest >= MAX_JSON_DEPTH_LEVELS

    def of_depth(self, levels: int) -> int | None:
        """Return the ways for a value so deep, or None where there are too many."""
        if levels > self.deepest:
            return None
        return self.ways[min(levels, len(self.ways) - 1)]


@dataclass(slots=True)
class _Node:
    """A schema inside the document, and where a value goes on from it."""

    weight: int
    in_place: list[int] = field(default_factory=list)
    one_of: list[list[int]] = field(default_factory=list)  # Of each list one child applies.
    each: list[int] = field(default_factory=list)  # These apply to a child all together.


@dataclass(slots=True)
class PatternRoom:
    """How large the patterns still to come may be; one for all schemas of a definition."""

    nodes: int = MAX_PATTERN_NODES


def schema_cost(schema: JsonObject, room: PatternRoom | None = None) -> SchemaCost:
    """Return what checking against a schema costs.

    Raises:
        SchemaTooCostly: more than any value would be worth, or no `room` for its patterns.
    """
    graph, room = _Graph(schema), room or PatternRoom()
    root = graph.add(schema)
    room.nodes -= graph.pattern_nodes
    if graph.pattern_nodes and room.nodes < 0:
        raise SchemaTooCostly("the patterns are too large together; write shorter repetitions")
    return _by_depth(graph.nodes, _order(graph.nodes), root)


class _Graph:
    """The schemas of one document by number, each with those it leads to."""

    def __init__(self, document: JsonObject) -> None:
        self._document = document
        self._numbers: dict[int, int] = {}
        self._named: dict[str, list[JsonObject]] = {}
        self.nodes: list[_Node] = []
        self.pattern_nodes = self.lookups = 0
        for part in _objects(document):
            for name in _NAMES:
                if isinstance(part.get(name), str):
                    self._named.setdefault(part[name].strip("#"), []).append(part)

    def add(self, root: JsonValue) -> int:
        """Return the number of a schema, everything it leads to added as well."""
        waiting, parents = [root], list[JsonObject]()
        while waiting:
            schema = waiting.pop()
            if id(schema) in self._numbers:
                continue
            self._numbers[id(schema)] = len(self.nodes)
            self.nodes.append(_Node(self._weight(schema)))
            if len(self.nodes) > MAX_SCHEMAS:
                raise SchemaTooCostly(f"it holds more than {MAX_SCHEMAS} schemas")
            if not _LEADING_ON.isdisjoint(schema):
                parents.append(schema)
                waiting += self._in_place(schema) + self._each(schema)
                waiting += (part for parts in self._one_of(schema) for part in parts)
        for schema in parents:
            self._connect(schema)
        return self._numbers[id(root)]

    def _connect(self, schema: JsonObject) -> None:
        number = self._numbers
        node = self.nodes[number[id(schema)]]
        node.in_place = [number[id(part)] for part in self._in_place(schema)]
        if any(key.startswith("unevaluated") for key in schema):
            node.in_place *= 2  # What was evaluated is found out by evaluating once more.
        node.each = [number[id(part)] for part in self._each(schema)]
        node.one_of = [[number[id(part)] for part in parts] for parts in self._one_of(schema)]

    def _weight(self, schema: JsonObject) -> int:
        required, patterns = schema.get("required"), schema.get("patternProperties")
        weight = 1 + (len(required) // 4 if isinstance(required, list) else 0)
        named = [schema.get("pattern"), *(patterns if isinstance(patterns, dict) else ())]
        for pattern in named:
            if isinstance(pattern, str):
                weight += _FANCY_WEIGHT if _FANCY.search(pattern) else 5
                size = pattern_size(pattern, written_out_to_most=True)
                self.pattern_nodes += size.nodes + len(pattern)
        return weight

    def _in_place(self, schema: JsonObject) -> list[JsonObject]:
        found: list[JsonValue] = []
        for key in _IN_PLACE_LISTS:
            part = schema.get(key)
            found += part if isinstance(part, list) else []
        found += [schema.get(key) for key in _IN_PLACE]
        for key in _IN_PLACE_BY_NAME:
            part = schema.get(key)
            found += part.values() if isinstance(part, dict) else []
        for key in _REFERENCES:
            reference = schema.get(key)
            found += self._targets(reference) if isinstance(reference, str) else []
        return _schemas(found)

    def _one_of(self, schema: JsonObject) -> list[list[JsonObject]]:
        parts = [schema.get(key) for key in _ALTERNATIVE_CHILDREN]
        listed = [part.values() if isinstance(part, dict) else part for part in parts[:1]]
        listed += [part for part in parts[1:] if isinstance(part, list)]
        return [_schemas(list(part)) for part in listed if part]

    def _each(self, schema: JsonObject) -> list[JsonObject]:
        patterns = schema.get("patternProperties")
        found = list(patterns.values()) if isinstance(patterns, dict) else []
        return _schemas(found + [schema.get(key) for key in _OBJECT_CHILDREN + _ARRAY_CHILDREN])

    def _targets(self, reference: str) -> list[JsonValue]:
        """Return every schema that a reference may mean; none where that is outside."""
        self.lookups += 1 + len(self._named)
        if self.lookups > MAX_LOOKUPS:
            raise SchemaTooCostly("it has too many references and names for them")
        base, _, fragment = unquote(reference).partition("#")
        bases: list[JsonValue] = list(self._ending_in(base)) if base else [self._document]
        if not fragment:
            return bases
        if not fragment.startswith("/"):
            return list(self._named.get(fragment, ()))
        roots = bases if base else [self._document, *chain.from_iterable(self._named.values())]
        return [found for root in roots if (found := _pointed(root, fragment)) is not None]

    def _ending_in(self, base: str) -> Iterator[JsonObject]:
        for name, parts in self._named.items():
            if name.endswith(base.lstrip("./")) or base.endswith(name):
                yield from parts


def _objects(document: JsonObject) -> list[JsonObject]:
    """Return every object in a document; those that are no schemas do no harm."""
    found: dict[int, JsonObject] = {}
    waiting: list[JsonValue] = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            found[id(part)] = part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return list(found.values())


def _schemas(parts: list[JsonValue]) -> list[JsonObject]:
    return [part for part in parts if isinstance(part, dict)]


def _pointed(root: JsonValue, pointer: str) -> JsonValue:
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(root, dict):
            root = root.get(key)
        elif isinstance(root, list) and key.isdigit() and int(key[:9]) < len(root):
            root = root[int(key[:9])]
        else:
            return None
    return root


def _order(nodes: list[_Node]) -> list[int]:
    """Return the schemas so that what one leads to in place comes before it."""
    order: list[int] = []
    state = [0] * len(nodes)  # 0 unseen, 1 being gone through, 2 done.
    for first in range(len(nodes)):
        stack = [(first, 0)]
        while stack:
            number, position = stack.pop()
            if position == 0 and state[number]:
                continue
            state[number] = 1
            if position == len(nodes[number].in_place):
                state[number] = 2
                order.append(number)
                continue
            if len(stack) > MAX_REFERENCE_DEPTH_LEVELS:
                raise SchemaTooCostly(f"references lead on over {MAX_REFERENCE_DEPTH_LEVELS} times")
            stack.append((number, position + 1))
            following = nodes[number].in_place[position]
            if state[following] == 1:
                raise SchemaTooCostly("it refers to itself without going on into the value")
            if state[following] == 0:
                stack.append((following, 0))
    return order


def _by_depth(nodes: list[_Node], order: list[int], root: int) -> SchemaCost:
    before = [0] * len(nodes)
    ways: list[int] = []
    for depth in range(MAX_JSON_DEPTH_LEVELS + 1):
        if depth * len(nodes) > MAX_LOOKUPS:
            raise SchemaTooCostly("it leads too deep in too many ways")
        now = [0] * len(nodes)
        for number in order:
            node = nodes[number]
            count = node.weight + sum(now[part] for part in node.in_place)
            count += sum(before[part] for part in node.each)
            count += sum(max((before[part] for part in parts), default=0) for parts in node.one_of)
            now[number] = min(count, MAX_WAYS + 1)
        if now[root] > MAX_WAYS:
            if depth == 0 or not _goes_round(nodes, root):
                raise SchemaTooCostly(
                    f"there are more than {MAX_WAYS} ways down to one place of a value through "
                    "its references and branches"
                )
            return SchemaCost(tuple(ways), depth - 1)
        ways.append(now[root])
        if now == before:
            break
        before = now
    return SchemaCost(tuple(ways))


def _goes_round(nodes: list[_Node], root: int) -> bool:
    """Say whether a schema that can be reached leads back to itself, further down a value."""
    state = {root: 1}
    stack = [(root, iter(_all_parts(nodes[root])))]
    while stack:
        number, parts = stack[-1]
        for part in parts:
            if state.get(part) == 1:
                return True
            if part not in state:
                state[part] = 1
                stack.append((part, iter(_all_parts(nodes[part]))))
                break
        else:
            state[number] = 2
            stack.pop()
    return False


def _all_parts(node: _Node) -> list[int]:
    return [*node.in_place, *node.each, *(part for parts in node.one_of for part in parts)]
