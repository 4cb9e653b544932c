"""The operators of conditions, total over any two JSON values.

An ordering between values that don't compare is false, and so is anything asked of an absent value
except `not_equals`, `not_in` and `not_exists`. Text matched by a pattern is matched from its
beginning, as `re.match` does; patterns are bounded in length, size, subject and time.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import regex

from executor_service.engine.values import ABSENT, Absent, same_json
from executor_service.errors import ConditionFailed
from steplog_contracts.pattern_size import pattern_size
from steplog_contracts.payload import JsonValue

MAX_PATTERN_CHARS: Final = 1_000
MAX_SUBJECT_CHARS: Final = 100_000
# Written out as compilers do, a pattern of that many nodes takes some megabytes.
MAX_PATTERN_NODES: Final = 10_000
MAX_PATTERN_DEPTH_LEVELS: Final = 100
MATCH_TIMEOUT_SECONDS: Final = 0.25  # Of all the patterns of one decision.
COMPILED_PATTERNS_KEPT: Final = 256
_SHORTEST_SECONDS: Final = 0.000_001  # None at all would be no limit.

Operand = JsonValue | Absent
Operator = Callable[[Operand, Operand], bool]


def equals(actual: Operand, value: Operand) -> bool:
    """The same JSON; 1 equals 1.0, true equals only true."""
    return actual is not ABSENT and value is not ABSENT and same_json(actual, value)


def not_equals(actual: Operand, value: Operand) -> bool:
    """Not `equals`; so true of an absent value."""
    return not equals(actual, value)


def comparable(actual: Operand, value: Operand) -> bool:
    """Say whether two values have an order: two numbers, or two texts."""
    if isinstance(actual, str):
        return isinstance(value, str)
    return _is_number(actual) and _is_number(value)


def _is_number(value: Operand) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def greater_than(actual: Any, value: Any) -> bool:
    """After, in the order of numbers or of text."""
    return comparable(actual, value) and bool(actual > value)


def greater_than_or_equal(actual: Any, value: Any) -> bool:
    """After or at, in the order of numbers or of text."""
    return comparable(actual, value) and bool(actual >= value)


def less_than(actual: Any, value: Any) -> bool:
    """Before, in the order of numbers or of text."""
    return comparable(actual, value) and bool(actual < value)


def less_than_or_equal(actual: Any, value: Any) -> bool:
    """Before or at, in the order of numbers or of text."""
    return comparable(actual, value) and bool(actual <= value)


def contains(actual: Operand, value: Operand) -> bool:
    """An array has the element, an object the key, a text the part."""
    if value is ABSENT:
        return False
    if isinstance(actual, list):
        return any(same_json(item, value) for item in actual)
    return isinstance(actual, (dict, str)) and isinstance(value, str) and value in actual


def is_in(actual: Operand, value: Operand) -> bool:
    """The other way round of `contains`."""
    return contains(value, actual)


def not_in(actual: Operand, value: Operand) -> bool:
    """Not `in`; so true of an absent value."""
    return not is_in(actual, value)


def starts_with(actual: Operand, value: Operand) -> bool:
    """A text begins with another."""
    return isinstance(actual, str) and isinstance(value, str) and actual.startswith(value)


def ends_with(actual: Operand, value: Operand) -> bool:
    """A text ends with another."""
    return isinstance(actual, str) and isinstance(value, str) and actual.endswith(value)


def exists(actual: Operand, value: Operand) -> bool:
    """The path leads somewhere, be it to null; with the value false, the opposite."""
    return (actual is not ABSENT) is (value is not False)


def not_exists(actual: Operand, value: Operand) -> bool:
    """The path leads nowhere; with the value false, the opposite."""
    return not exists(actual, value)


def _no_time_passes() -> float:
    return 0.0


def matches(actual: Operand, value: Operand, clock: Callable[[], float] = _no_time_passes) -> bool:
    """A text matches a pattern from its beginning; `clock` tells seconds, to count them.

    Raises:
        ConditionFailed: pattern or text is too long, the pattern is none, or takes too long.
    """
    if not isinstance(actual, str) or not isinstance(value, str):
        return False
    if len(actual) > MAX_SUBJECT_CHARS:
        raise ConditionFailed(
            f"A pattern is asked of a text of {len(actual)} characters; "
            f"at most {MAX_SUBJECT_CHARS} are matched."
        )
    with one_decision() as left:
        try:
            pattern = compiled(value)
            began = clock()
            matched = pattern.match(actual, timeout=max(left.seconds, _SHORTEST_SECONDS))
        except TimeoutError:
            raise ConditionFailed(
                f"A pattern of {len(value)} characters took longer than {MATCH_TIMEOUT_SECONDS} s, "
                "with those before it; write it without nested repetition."
            ) from None
        except MemoryError:
            raise ConditionFailed(
                f"A pattern of {len(value)} characters ran out of memory."
            ) from None
        left.seconds -= clock() - began
    return matched is not None


@dataclass(slots=True)
class TimeLeft:
    """What the patterns of one decision may still take, together."""

    seconds: float = MATCH_TIMEOUT_SECONDS


# Of the decision that is being made; None outside of one.
_left: ContextVar[TimeLeft | None] = ContextVar("_left", default=None)


@contextmanager
def one_decision() -> Iterator[TimeLeft]:
    """Bound the time of every pattern matched inside, all together; inside another one, by that."""
    outer = _left.get()
    if outer is not None:
        yield outer
        return
    token = _left.set(left := TimeLeft())
    try:
        yield left
    finally:
        _left.reset(token)


@functools.lru_cache(maxsize=COMPILED_PATTERNS_KEPT)
def compiled(pattern: str) -> Any:
    """Return the compiled pattern, or raise ConditionFailed in one sentence."""
    if len(pattern) > MAX_PATTERN_CHARS:
        raise ConditionFailed(
            f"A pattern has {len(pattern)} characters; at most {MAX_PATTERN_CHARS} are allowed."
        )
    size = pattern_size(pattern)
    if size.nodes > MAX_PATTERN_NODES or size.depth_levels > MAX_PATTERN_DEPTH_LEVELS:
        raise ConditionFailed(
            "This pattern is too large; write shorter repetitions and at most "
            f"{MAX_PATTERN_DEPTH_LEVELS} groups inside each other."
        )
    try:
        return regex.compile(pattern, cache_pattern=False)
    except Exception as error:  # Its own, and others: flags that exclude each other, depth, memory.
        # It may come out of data, so it is not quoted; where it stands says which one it is.
        reason = "it nests too deeply" if isinstance(error, RecursionError) else error
        raise ConditionFailed(f"This is not a pattern: {reason}.") from None


OPERATORS: Final[dict[str, Operator]] = {
    "equals": equals,
    "==": equals,
    "not_equals": not_equals,
    "!=": not_equals,
    "greater_than": greater_than,
    ">": greater_than,
    "greater_than_or_equal": greater_than_or_equal,
    ">=": greater_than_or_equal,
    "less_than": less_than,
    "<": less_than,
    "less_than_or_equal": less_than_or_equal,
    "<=": less_than_or_equal,
    "in": is_in,
    "not_in": not_in,
    "contains": contains,
    "starts_with": starts_with,
    "startswith": starts_with,
    "ends_with": ends_with,
    "endswith": ends_with,
    "matches": matches,
    "regex": matches,
    "exists": exists,
    "not_exists": not_exists,
}
PATTERN_OPERATORS: Final = frozenset({"matches", "regex"})
NEEDS_NO_VALUE: Final = frozenset({"exists", "not_exists"})
