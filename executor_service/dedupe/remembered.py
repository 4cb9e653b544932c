"""A bounded memory of what came before: the oldest is forgotten first."""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")

# Some seconds' worth under load; what came earlier is known by its digest. Ten times as many cost
# an executor of eight partitions some 40 MB more after 100,000 executions.
MAX_REMEMBERED = 1_000


class Remembered(Generic[ValueT]):
    """Keys and values in the order they came, never more than `MAX_REMEMBERED`."""

    def __init__(self, known: Mapping[str, ValueT]) -> None:
        newest = islice(known.items(), max(0, len(known) - MAX_REMEMBERED), None)
        self._values = OrderedDict(newest)

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
