"""Paths of secret fields, as a definition's `secrets` holds them: `card.number`, `'a.b'.token`.

A path is keys separated by dots. It matches at any depth, since data is merged and nested on its
way through steps, and passes lists by itself. `*` is any one key, `**` any number of keys, none
included. A key with a dot, a quote or a blank in it, or one that is a number, stands in single or
double quotes.
"""

import re
from collections.abc import Sequence
from typing import Final

from steplog_contracts.errors import SteplogError

ANY_KEY: Final = "*"
ANY_KEYS: Final = "**"
# What templates begin with: the data itself does not bear that name.
_ROOTS: Final = frozenset(
    {"pipeline_input", "pipeline_data", "step_results", "steps", "parameters", "result"}
)
_PLAIN: Final = r"""[^.'"\s\[\]{}$/\\]+"""
_QUOTED: Final = r"""'(?:[^']|'')+'|"(?:[^"]|"")+\""""
_PATH: Final = re.compile(rf"(?:{_QUOTED}|{_PLAIN})(?:\.(?:{_QUOTED}|{_PLAIN}))*")
_KEY: Final = re.compile(rf"{_QUOTED}|{_PLAIN}")


class NoPath(SteplogError):
    """A text that names no field; `hint` says how the field is written."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Wildcard(str):
    """`*` or `**` where it stands for keys; in quotes it is a key like any other."""

    __slots__ = ()


def parse_path(text: str) -> tuple[str, ...]:
    """Return the keys of a path.

    A leading `*` or `**` adds nothing, since a path matches at any depth: `*.token` is `token`, at
    the top too.

    Raises:
        NoPath: it is none, or could match nothing.
    """
    if _PATH.fullmatch(text) is None:
        raise NoPath(f"{text!r} is no path.", _hint(text))
    keys = [_key(found) for found in _KEY.findall(text)]
    if keys[0] in _ROOTS and not text.startswith(("'", '"')) and len(keys) > 1:
        rest = text.partition(".")[2]
        raise NoPath(
            f"{text!r} begins like a template; fields are named as they stand in the data.",
            f"write {rest}, or '{keys[0]}' in quotes if a field has that name",
        )
    number = next((found for found in _KEY.findall(text) if found.isdigit()), None)
    if number is not None:
        raise NoPath(
            f"{text!r} has a place in a list; a path passes lists by itself.",
            f"leave {number} out, or write '{number}' in quotes if it is a key",
        )
    while len(keys) > 1 and isinstance(keys[0], Wildcard):
        keys.pop(0)
    return tuple(keys)


def lenient_path(text: str) -> tuple[str, ...]:
    """Return the keys of a path in an old or foreign definition: as it was probably meant.

    What is recorded can't be refused any more, and a field must not be shown for a slip of writing.
    """
    try:
        return parse_path(text)
    except NoPath:
        pass
    parts = [part for part in _words(text) if not part.isdigit()]
    while len(parts) > 1 and parts[0] in _ROOTS | {ANY_KEY, ANY_KEYS}:
        parts.pop(0)
    return tuple(Wildcard(part) if part in (ANY_KEY, ANY_KEYS) else part for part in parts)


class Keys:
    """The keys of a document, to be asked for each of many paths."""

    def __init__(self, keys: frozenset[str]) -> None:
        self._keys = keys
        self._folded = {key.casefold(): key for key in sorted(keys)}

    def in_another_case(self, path: Sequence[str]) -> str | None:
        """Return a key that differs from one of the path's only in case, where that is missing."""
        for part in path:
            if isinstance(part, Wildcard) or part in self._keys:
                continue
            if part.casefold() in self._folded:
                return self._folded[part.casefold()]
        return None


def _key(found: str) -> str:
    if found[0] in "'\"":
        return found[1:-1].replace(found[0] * 2, found[0])
    return Wildcard(found) if found in (ANY_KEY, ANY_KEYS) else found


def _hint(text: str) -> str:
    meant = ".".join(_words(text))
    written = f"write {meant}" if meant else "write the names of the fields, separated by dots"
    return f"{written}; a key with a dot, a quote or a blank in it stands in quotes"


def _words(text: str) -> list[str]:
    return [part for part in re.split(r"[.\s\[\]{}$/\\'\"]+", text) if part]
