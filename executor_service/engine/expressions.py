"""Functions and arithmetic in templates: a small set, bounded, and no code.

`len(x)`, `default(x, y)`, `join(list, separator)`, `now()`, and `+ - * / %` between numbers, with
blanks around each sign: a key may have a hyphen. What is neither is a plain reference.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from executor_service.engine.references import Reading, Reference, parse_template, resolve
from executor_service.engine.values import ABSENT, Absent
from executor_service.errors import ExpressionFailed, ExpressionRefused
from steplog_contracts.payload import JsonValue

MAX_PARTS: Final = 200  # Of one expression.
MAX_DEPTH: Final = 20
# What every reader of JSON can hold exactly.
MAX_WHOLE_NUMBER: Final = 2**53
MAX_JOINED_CHARS: Final = 100_000
_IS_EXPRESSION: Final = re.compile(r"\s*[A-Za-z_]\w*\(|\s*\(|.*\s[-+*/%]\s", re.DOTALL)
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>\"[^\"]*\"|'[^']*')|(?P<number>-?\d+(?:\.\d+)?(?=[\s,)]|$))"
    r"|(?P<call>[A-Za-z_]\w*)\(|(?P<sign>[-+*/%](?=\s)|[(),])|(?P<name>[^\s(),\"']+))"
)
_RANK: Final = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2}
Value = JsonValue | Absent


@dataclass(frozen=True, slots=True)
class Constant:
    """A number or a text as it is written."""

    value: JsonValue


@dataclass(frozen=True, slots=True)
class Applied:
    """A function or a sign over expressions."""

    name: str
    arguments: "tuple[Expression, ...]"


Expression = Reference | Constant | Applied


def is_expression(text: str) -> bool:
    """Say whether a part of a template is more than a reference."""
    return _IS_EXPRESSION.match(text) is not None


def parse(text: str, step_ids: Collection[str]) -> Expression:
    """Take an expression apart.

    Raises:
        ExpressionRefused: it is none; the message says why.
    """
    return _Parser(text, step_ids).whole()


def calls(expression: Expression, name: str) -> bool:
    """Say whether a function is called somewhere in an expression."""
    if not isinstance(expression, Applied):
        return False
    return expression.name == name or any(calls(part, name) for part in expression.arguments)


def value_of(expression: Expression, reading: Reading) -> Value:
    """Return what an expression comes to; ABSENT where a reference in it leads nowhere.

    Raises:
        ExpressionFailed: a value in it is not of the type that is asked for.
    """
    match expression:
        case Constant(value):
            return value
        case Applied(name, arguments):
            given = [value_of(argument, reading) for argument in arguments]
            if name == "default":
                return given[1] if given[0] is ABSENT or given[0] is None else given[0]
            if name == "now":
                return ABSENT if reading.now is None else reading.now.isoformat()
            if any(value is ABSENT for value in given):
                return ABSENT
            return _FUNCTIONS[name][1](*given)
        case _:
            return resolve(expression, reading)


def alternatives(text: str) -> list[str]:
    """Return what stands between the bars of a template; a bar in a quoted text is none."""
    bars, quote = [-1], ""
    for at, sign in enumerate(text):
        if sign == "|" and not quote:
            bars.append(at)
        elif sign in "\"'" and quote in ("", sign):
            quote = "" if quote else sign
    if quote:
        return text.split("|")
    return [text[bar + 1 : end] for bar, end in pairwise([*bars, len(text)])]


class _Parser:
    def __init__(self, text: str, step_ids: Collection[str]) -> None:
        self._step_ids = step_ids
        self._tokens: list[tuple[str, str]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise ExpressionRefused(f"'{text[at : at + 20].strip()}' can't be read.")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        if len(self._tokens) > MAX_PARTS:
            raise ExpressionRefused(f"It has more than {MAX_PARTS} parts.")
        self._at = 0

    def whole(self) -> Expression:
        expression = self._binary(1, 0)
        if self._at < len(self._tokens):
            raise ExpressionRefused(f"'{self._tokens[self._at][1]}' can't stand there.")
        return expression

    def _binary(self, rank: int, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise ExpressionRefused(f"It is nested deeper than {MAX_DEPTH} levels.")
        left = self._one(depth) if rank > 2 else self._binary(rank + 1, depth)
        while rank <= 2 and _RANK.get(self._sign()) == rank:
            sign = self._next()[1]
            left = Applied(sign, (left, self._binary(rank + 1, depth)))
        return left

    def _one(self, depth: int) -> Expression:
        kind, text = self._next()
        if kind == "number":
            return Constant(float(text) if "." in text else int(text[:MAX_PARTS]))
        if kind == "text":
            return Constant(text[1:-1])
        if kind == "call":
            return self._call(text, depth)
        if kind == "name":
            return parse_template(text, self._step_ids)
        if text == "(":
            inside = self._binary(1, depth + 1)
            self._expect(")")
            return inside
        raise ExpressionRefused(f"'{text}' can't stand there." if text else "It ends too early.")

    def _call(self, name: str, depth: int) -> Expression:
        if name not in _FUNCTIONS:
            raise ExpressionRefused(f"There is no function '{name}'.")
        arguments: list[Expression] = []
        while self._sign() != ")":
            if arguments:
                self._expect(",")
            arguments.append(self._binary(1, depth + 1))
        self._next()
        wanted = _FUNCTIONS[name][0]
        if len(arguments) != wanted:
            raise ExpressionRefused(f"'{name}' takes {wanted} values, not {len(arguments)}.")
        return Applied(name, tuple(arguments))

    def _sign(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            return "end", ""
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, sign: str) -> None:
        if self._next() != ("sign", sign):
            raise ExpressionRefused(f"A '{sign}' is missing.")


def _len(value: Value) -> JsonValue:
    if not isinstance(value, str | list | dict):
        raise ExpressionFailed(f"len() is of a text, a list or an object, not {_kind(value)}.")
    return len(value)


def _join(values: Value, separator: Value) -> JsonValue:
    if not isinstance(values, list) or not isinstance(separator, str):
        raise ExpressionFailed("join() takes a list and a text.")
    parts: list[str] = []
    chars = 0
    for value in values:
        if isinstance(value, dict | list) or value is None:
            raise ExpressionFailed(f"join() joins texts and numbers, not {_kind(value)}.")
        parts.append(str(value).lower() if isinstance(value, bool) else str(value))
        chars += len(parts[-1]) + len(separator)
        if chars > MAX_JOINED_CHARS:
            raise ExpressionFailed(f"join() makes at most {MAX_JOINED_CHARS} characters.")
    return separator.join(parts)


Work = Callable[[int | float, int | float], int | float]


def _number(sign: str, work: Work) -> Callable[..., JsonValue]:
    def apply(left: Value, right: Value) -> JsonValue:
        for value in (left, right):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ExpressionFailed(f"'{sign}' stands between numbers, not {_kind(value)}.")
        assert isinstance(left, int | float)
        assert isinstance(right, int | float)
        try:
            made = work(left, right)
        except (ZeroDivisionError, OverflowError) as error:
            raise ExpressionFailed(f"{left} {sign} {right} is no number.") from error
        if not -MAX_WHOLE_NUMBER <= made <= MAX_WHOLE_NUMBER:
            raise ExpressionFailed(f"{left} {sign} {right} is larger than 2 to the power of 53.")
        return made

    return apply


def _kind(value: Value) -> str:
    return "null" if value is None else f"a value of type {type(value).__name__}"


# By name: how many values it takes, and what it makes of them.
_FUNCTIONS: Final[dict[str, tuple[int, Callable[..., JsonValue]]]] = {
    "len": (1, _len),
    "join": (2, _join),
    "default": (2, lambda value, _: value),
    "now": (0, lambda: None),
    "+": (2, _number("+", lambda left, right: left + right)),
    "-": (2, _number("-", lambda left, right: left - right)),
    "*": (2, _number("*", lambda left, right: left * right)),
    "/": (2, _number("/", lambda left, right: left / right)),
    "%": (2, _number("%", lambda left, right: left % right)),
}
FUNCTIONS: Final = tuple(name for name in _FUNCTIONS if name.isidentifier())
