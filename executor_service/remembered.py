"""A bounded memory of what came before: the oldest is forgotten first."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")

# About 1.5 MB for ids of 36 characters; what came earlier is known by its digest.
MAX_REMEMBERED = 10_000


class Remembered(Generic[ValueT]):
    """Keys and values in the order they came, never more than `MAX_REMEMBERED`."""

    def __init__(self, known: Mapping[str, ValueT]) -> None:
        self._values = OrderedDict(known)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> ValueT | None:
        """Return the value, or None when unknown or forgotten."""
        return self._values.get(key)

    def put(self, key: str, value: ValueT) -> None:
        """Remember a key; the oldest one goes when the memory is full."""
        self._values[key] = value
        if len(self._values) > MAX_REMEMBERED:
            self._values.popitem(last=False)

    def forget(self, key: str) -> None:
        """Forget a key, if it is known."""
        self._values.pop(key, None)
