"""One mask: secret paths, and what stood there, which is masked under any other name too."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from steplog_contracts.secret_paths import ANY_KEY, ANY_KEYS, Wildcard, lenient_path
from tracker_service.http_api.masking.secret_values import MASKED, SecretValues, leaves

Path = tuple[str, ...]
# Of one entry of `[{"name": ..., "default": ...}]`: where its value stands.
_VALUE_KEYS: Final = ("default", "source", "value")


class _Secrets(Struct):
    secrets: list[str] = []
    steps: Any = None


_decoder = msgspec.json.Decoder(_Secrets)
# Definitions may hold those of the pipelines that their steps run.
MAX_DEPTH_LEVELS: Final = 8


class Mask:
    """The secret paths of one definition and, for one execution, the values that stood there."""

    def __init__(self, paths: Sequence[str] = (), values: SecretValues | None = None) -> None:
        parsed = (lenient_path(path) for path in paths)
        self._paths: tuple[Path, ...] = tuple(path for path in parsed if path)
        self._values = values or SecretValues()

    def __bool__(self) -> bool:
        return bool(self._paths)

    @property
    def values(self) -> frozenset[str]:
        """The values it hides."""
        return self._values.all

    def with_values(self, values: Iterable[str], *, complete: bool = True) -> "Mask":
        """Return the mask that also hides these values wherever they appear.

        Not `complete`: there are others nobody could read, so every text is hidden.
        """
        mask = Mask()
        mask._paths, mask._values = self._paths, SecretValues(values, complete=complete)
        return mask

    def joined(self, others: Iterable["Mask"]) -> "Mask":
        """Return the mask of all that any of them hides."""
        masks = [one for one in (self, *others) if one]
        if EVERYTHING in masks:
            return EVERYTHING
        joined = Mask()
        joined._paths = tuple(dict.fromkeys(path for one in masks for path in one._paths))
        joined._values = SecretValues(
            (value for one in masks for value in one.values),
            complete=not any(one._values.hides_all for one in masks),
        )
        return joined

    def text(self, text: Raw | bytes) -> Raw:
        """Return JSON text with secrets masked; what can't be looked through is masked whole."""
        try:
            return Raw(json.dumps(self.value(json.loads(bytes(text)))).encode())
        except (ValueError, RecursionError):
            return Raw(json.dumps(MASKED).encode())

    def value(self, value: Any) -> Any:
        """Return a JSON value with secrets masked."""
        if not self._paths:
            return value
        return self._values.masked(_masked(value, self._paths, ()))

    def sentence(self, text: str) -> str:
        """Return a text for people with secret values masked in it."""
        return self._values.sentence(text)

    def secrets_in(self, value: Any) -> Iterable[str]:
        """Yield the texts and numbers that stand at secret paths of a JSON value."""
        found: list[Any] = []
        _masked(value, self._paths, (), found)
        for one in found:
            yield from leaves(one)

    def may_begin_at(self, key: str) -> bool:
        """Whether a secret lies at or below this key at the top of a value."""
        return any(path[0] == key or isinstance(path[0], Wildcard) for path in self._paths)


def _masked(
    value: Any, everywhere: Sequence[Path], begun: Sequence[Path], found: list[Any] | None = None
) -> Any:
    """Mask the paths that may begin here and the rest of those that began further up."""
    if isinstance(value, list):
        return [_masked(item, everywhere, begun, found) for item in value]
    if not isinstance(value, dict):
        return value
    shown = {}
    for key, item in value.items():
        rest = _rest(key, (*everywhere, *begun))
        shown[key] = _covered(item, everywhere, rest, found)
    name = value.get("name")
    if isinstance(name, str):
        rest = _rest(name, (*everywhere, *begun))
        for key in _VALUE_KEYS:
            if rest and key in value:
                shown[key] = _covered(shown[key], everywhere, rest, found)
    return shown


def _covered(
    item: Any, everywhere: Sequence[Path], rest: Sequence[Path], found: list[Any] | None
) -> Any:
    if any(_is_over(path) for path in rest):
        if found is not None:
            found.append(item)
        return MASKED
    return _masked(item, everywhere, rest, found)


def _rest(key: str, paths: Iterable[Path]) -> list[Path]:
    """Return what is left of each path that this key goes on with; empty where it ends here."""
    left: list[Path] = []
    for path in paths:
        if path and isinstance(path[0], Wildcard) and path[0] == ANY_KEYS:
            left.append(path)  # It takes this key and perhaps more,
            left.extend(_rest(key, [path[1:]]))  # or none.
        elif path and (path[0] == key or _is_any(path[0])):
            left.append(path[1:])
    return left


def _is_any(part: str) -> bool:
    return isinstance(part, Wildcard) and part == ANY_KEY


def _is_over(path: Path) -> bool:
    return all(isinstance(part, Wildcard) and part == ANY_KEYS for part in path)


NOTHING: Final = Mask()
# Where it can't be known what is secret.
EVERYTHING: Final = Mask([ANY_KEY])


def mask_of(definition: bytes) -> Mask:
    """Return the mask of a definition's JSON text: everything where its secrets can't be read.

    The values it holds itself, such as a default, count as secret values too.
    """
    try:
        read = _decoder.decode(definition)
        mask = Mask([*read.secrets, *_of_inner(read.steps)])
    except msgspec.MsgspecError:
        return EVERYTHING
    return mask.with_values(_own_values(mask, definition)) if mask else NOTHING


def _of_inner(steps: Any, depth: int = 0) -> Iterable[str]:
    """Yield the secrets of the definitions that steps hold; what a child returns comes back.

    Raises:
        msgspec.ValidationError: they can't be read.
    """
    for step in steps if isinstance(steps, list) else ():
        inner = step.get("definition") if isinstance(step, dict) else None
        if isinstance(inner, dict):
            read = msgspec.convert(inner, _Secrets)
            yield from read.secrets
            if depth < MAX_DEPTH_LEVELS:
                yield from _of_inner(read.steps, depth + 1)


def _own_values(mask: Mask, definition: bytes) -> Iterable[str]:
    try:
        whole: Mapping[str, Any] = json.loads(definition)
    except (ValueError, RecursionError):
        return
    # A template at a secret path is no value.
    yield from (text for text in mask.secrets_in(whole) if not ("{" in text and "}" in text))
