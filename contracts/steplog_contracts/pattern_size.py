"""How large a pattern becomes when it is compiled: known from its text, before anything compiles.

Compilers write a counted repetition out, so `(?:a{1000}){1000}` is a million nodes and a few more
characters are gigabytes. What is counted here is an upper bound, to the accuracy a bound needs.
"""

import re
from dataclasses import dataclass, field
from typing import Final

# Beyond any pattern that people write or a compiler survives.
ENDLESS: Final = 10**12
_COUNT = re.compile(r"\{(\d*)(,?)(\d*)\}")
_CLASS = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*\]", re.DOTALL)
_BRACED_ESCAPE = re.compile(r"\\[pPxuNgk]\{[^}]*\}")
_COMMENT = re.compile(r"\(\?#[^)]*\)")
# A class of Unicode letters is hundreds of ranges; so is whatever a negation leaves.
_WIDE_WEIGHT: Final = 100
_CLASS_WEIGHT: Final = 10


@dataclass(slots=True)
class _Group:
    total: int = 0
    last: int = 0  # Size of what a repetition that follows would repeat.


@dataclass(frozen=True, slots=True)
class PatternSize:
    """The nodes a pattern compiles to, and how deep its groups nest."""

    nodes: int
    depth_levels: int


@dataclass(slots=True)
class _Counter:
    pattern: str
    written_out_to_most: bool
    groups: list[_Group] = field(default_factory=lambda: [_Group()])
    deepest: int = 0
    repeated: bool = False  # What stands before is a repetition: `?` or `+` only modifies it.

    def count(self) -> PatternSize:
        position = 0
        while position < len(self.pattern):
            position = self._next(position)
            if self.groups[-1].total > ENDLESS:
                return PatternSize(ENDLESS, self.deepest)
        return PatternSize(sum(group.total for group in self.groups), self.deepest)

    def _next(self, position: int) -> int:
        character = self.pattern[position]
        if character == "\\":
            return self._escape(position)
        if character in "*?+":
            return self._repeat(position + 1, 2 if character == "+" else 1)
        if character == "{" and (counted := _COUNT.match(self.pattern, position)):
            return self._counted(counted)
        if character == "[" and (listed := _CLASS.match(self.pattern, position)):
            wide = not listed.group().isascii() or "\\" in listed.group()
            wide = wide or listed.group().startswith("[^")
            return self._atom(listed.end(), _WIDE_WEIGHT if wide else 1)
        if character == "(":
            if comment := _COMMENT.match(self.pattern, position):
                return comment.end()
            self.groups.append(_Group())
            self.deepest = max(self.deepest, len(self.groups) - 1)
            self.repeated = True  # The `?` of `(?:` repeats nothing.
            return position + 1
        if character == ")":
            size = self.groups.pop().total if len(self.groups) > 1 else 0
            return self._atom(position + 1, size + 1)
        return self._atom(position + 1, _CLASS_WEIGHT if character == "." else 1)

    def _escape(self, position: int) -> int:
        braced = _BRACED_ESCAPE.match(self.pattern, position)
        end = position + 2 if braced is None else braced.end()
        letter = self.pattern[position + 1 : position + 2]
        weight = _WIDE_WEIGHT if letter in "pP" else _CLASS_WEIGHT if letter in "wWdDsS" else 1
        return self._atom(end, weight if letter else 1)

    def _atom(self, end: int, size: int) -> int:
        group = self.groups[-1]
        group.total += size
        group.last = size
        self.repeated = False
        return end

    def _counted(self, counted: re.Match[str]) -> int:
        least, comma, most = counted.groups()
        if not least and not most:
            return self._atom(counted.end(), len(counted.group()))
        at_least = min(int(least[-12:] or 0) if len(least) <= 12 else ENDLESS, ENDLESS)
        at_most = at_least
        if comma and self.written_out_to_most and most:
            at_most = ENDLESS if len(most) > 12 else int(most)
        times = max(at_least, at_most, 1) + (1 if comma else 0)
        return self._repeat(counted.end(), times)

    def _repeat(self, end: int, times: int) -> int:
        group = self.groups[-1]
        if not (self.repeated and times <= 2):
            group.total += group.last * (times - 1)
            group.last *= times
        self.repeated = True
        return end


def pattern_size(pattern: str, *, written_out_to_most: bool = False) -> PatternSize:
    """Return the size of a pattern. `written_out_to_most`: the compiler writes `{2,9}` out nine
    times, as Rust's does; others write it out twice."""
    return _Counter(pattern, written_out_to_most).count()
