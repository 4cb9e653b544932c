"""The items of a map: what they are, which have begun, and what became of each.

A map's visit stays open while its items are visited, each a visit of its own to the map's inner
step. What the items are is recorded with the beginning of the map, what became of one with the end
of its visit; so which items are left follows from the record alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from executor_service.engine.templates import Template
from steplog_contracts.events import ErrorInfo
from steplog_contracts.item_ids import item_id
from steplog_contracts.payload import JsonObject, JsonValue

# Items of one map; with `batch_size`, batches.
MAX_ITEMS = 100_000
DEFAULT_MAX_CONCURRENCY = 20
MAX_ITEMS_NAMED = 10  # In a message about failed ones.
# The keys under which a map's recorded input holds its items, or why there are none.
ITEMS = "items"
PROBLEM = "problem"
ITEM_INDEX = "item_index"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many items may fail before the map does: a number, or a share of all items."""

    count: int = 0
    percent: float | None = None

    def allowed(self, items: int) -> int:
        """Return the number for so many items."""
        return self.count if self.percent is None else int(items * self.percent / 100)


@dataclass(frozen=True, slots=True)
class MapPlan:
    """What a map step does: the list it goes through, and how."""

    items: Template
    item_name: str = "item"
    max_concurrency: int = DEFAULT_MAX_CONCURRENCY
    tolerance: Tolerance = Tolerance()
    batch_size: int | None = None

    def grouped(self, items: list[JsonValue]) -> list[JsonValue]:
        """Return what the visits are given: the items, or lists of `batch_size` of them."""
        size = self.batch_size
        if size is None:
            return items
        return [items[start : start + size] for start in range(0, len(items), size)]


@dataclass(slots=True)
class Items:
    """The items of one visit to a map."""

    map_id: str
    values: list[JsonValue] | None  # None: `problem` says why there are none.
    problem: str | None = None
    results: dict[int, JsonValue] = field(default_factory=dict)
    failed: dict[int, ErrorInfo] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    _looked_at: int = 0  # Every item before it has begun.

    @classmethod
    def recorded(cls, map_id: str, given: JsonValue) -> "Items":
        """Return the items that a map's recorded input holds."""
        found = given if type(given) is dict else {}
        values = found.get(ITEMS)
        return cls(map_id, values if type(values) is list else None, found.get(PROBLEM))

    @property
    def ended(self) -> int:
        """The number of items that have ended, well or not."""
        return len(self.results) + len(self.failed)

    def begin(self, index: int) -> None:
        """Note that an item's visit is open."""
        self.open.add(index)

    def complete(self, index: int, output: JsonValue) -> None:
        """Note an item's result."""
        self.open.discard(index)
        self.results[index] = output

    def fail(self, index: int, error: ErrorInfo) -> None:
        """Note that an item failed for good."""
        self.open.discard(index)
        self.failed[index] = error

    def drop(self, index: int) -> None:
        """Note that an item's visit was cancelled; nothing became of it."""
        self.open.discard(index)

    def next_ones(self, at_most: int) -> Iterator[int]:
        """Return items that have not begun, in order; each comes once, for it is to begin now."""
        count = 0 if self.values is None else len(self.values)
        while at_most > 0 and self._looked_at < count:
            index = self._looked_at
            self._looked_at += 1
            if index in self.results or index in self.failed or index in self.open:
                continue
            at_most -= 1
            yield index

    def too_many_failed(self, tolerance: Tolerance) -> bool:
        """Say whether more items failed than the map tolerates."""
        return len(self.failed) > tolerance.allowed(len(self.values or ()))

    def output(self) -> list[JsonValue]:
        """Return the results in the items' order; an error stands for each that failed."""
        return [
            self.results[index] if index in self.results else self._error(index)
            for index in range(len(self.values or ()))
        ]

    def _error(self, index: int) -> JsonValue:
        error = self.failed.get(index)
        if error is None:
            return None
        return {
            "step_error": True,
            "error_message": error.message,
            "error_type": error.type.rpartition(".")[2],
            "step_name": item_id(self.map_id, index),
            ITEM_INDEX: index,
        }

    def failure_text(self, tolerance: Tolerance) -> str:
        """Say how many items failed, which, and what the first of them came to."""
        count, failed = len(self.values or ()), sorted(self.failed)
        named = ", ".join(map(str, failed[:MAX_ITEMS_NAMED]))
        more = ", ..." if len(failed) > MAX_ITEMS_NAMED else ""
        first = self.failed[failed[0]]
        return (
            f"{len(failed)} of {count} items failed (tolerated: {tolerance.allowed(count)}): "
            f"{named}{more}. Item {failed[0]}: {first.type}: {first.message}"
        )


def item_data(plan: MapPlan, items: Items, index: int) -> JsonObject:
    """Return what an item's visit is given before its own `inputs`."""
    assert items.values is not None, "only an item of a list begins"
    return {plan.item_name: items.values[index], ITEM_INDEX: index}


def saved(maps: Mapping[str, Items]) -> JsonObject:
    """Return what became of the items of open maps as plain JSON."""
    return {
        map_id: {
            "results": [[index, result] for index, result in items.results.items()],
            "failed": [[i, error.model_dump(mode="json")] for i, error in items.failed.items()],
            "open": sorted(items.open),
        }
        for map_id, items in maps.items()
    }


def restore_into(items: Items, kept: JsonObject) -> None:
    """Take in again what `saved` returned for one map."""
    items.results.update(dict(kept["results"]))
    items.failed.update({index: ErrorInfo(**error) for index, error in kept["failed"]})
    items.open.update(kept["open"])
