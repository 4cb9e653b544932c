"""What a branch sees and has written: the flowing data, the results of steps, its own changes.

A fork freezes its scope and gives each branch a child; a join makes one scope of several, standing
where the branches' nearest common ancestor stood. A branch's change is what it wrote since that
ancestor, not its whole copy: a value it only passed through never overwrites what another branch
wrote. All values are plain JSON and never changed in place.

Of two writes of one key, one that happened after the other and could see it stands, whatever the
order of the joined paths; only writes of which neither could see the other are settled by that
order. So each change carries the stretch it was written on, and a stretch knows all before it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from executor_service.engine.references import Results
from executor_service.engine.values import ABSENT, Absent, unchanged
from steplog_contracts.payload import JsonObject, JsonValue


class Stretch(NamedTuple):
    """A branch's way from one fork or join to the next: its own bit, and those of all before it."""

    bit: int
    past: int

    @property
    def seen(self) -> int:
        """The bits of every stretch that lies before what comes after this one."""
        return self.bit | self.past


FIRST = Stretch(1, 0)


class Scope(Results):
    """One branch's view. Owned by exactly one branch, or frozen once it has children."""

    __slots__ = (
        "changes", "children", "contested", "data", "depth", "origins", "parent", "passed",
        "result_origins", "results", "stretch",
    )  # fmt: skip

    def __init__(
        self, data: JsonObject, parent: "Scope | None" = None, stretch: Stretch = FIRST
    ) -> None:
        self.data = data
        self.parent = parent
        self.stretch = stretch
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.results: dict[str, JsonValue] = {}
        self.changes: JsonObject = {}
        # Where each change and each result was written; of the root's nobody ever asks.
        self.origins: dict[str, Stretch] = {}
        self.result_origins: dict[str, Stretch] = {}
        # Keys that more than one of the branches joined here had written.
        self.contested: frozenset[str] = frozenset()
        # The latest visit that lies behind it of each join that leaves branches behind.
        self.passed: dict[str, int] = {} if parent is None else parent.passed
        self.children = 0  # Living ones: branches that run, and those that ended and still count.

    def result_of(self, step_id: str) -> JsonValue | Absent:
        """Return the latest result of the step on this branch."""
        scope: Scope | None = self
        while scope is not None:
            if step_id in scope.results:
                return scope.results[step_id]
            scope = scope.parent
        return ABSENT

    def keep(self, step_id: str, result: JsonValue) -> None:
        """Take in a step's result that is not laid over the data."""
        if self.parent is not None:
            self.result_origins[step_id] = self.stretch
        self.results[step_id] = result

    def lay(self, key: str, value: JsonValue) -> None:
        """Lay one value over the data."""
        self._lay({key: value})

    def write(self, step_id: str, result: JsonValue) -> None:
        """Take in a step's result: an object is laid over the data, anything else kept apart."""
        if type(result) is not dict or not result:
            self.keep(step_id, result)
            return
        data = self.data
        kept: JsonObject = {}
        written: JsonObject = {}
        for key, value in result.items():
            before = data.get(key, ABSENT)
            if before is not ABSENT and unchanged(before, value):
                # Sharing what was passed through keeps memory linear in what steps wrote.
                kept[key] = before
            else:
                kept[key] = written[key] = value
        self.keep(step_id, kept)
        if written:
            self._lay(written)

    def _lay(self, written: JsonObject) -> None:
        self.data = self.data | written
        if self.parent is not None:
            self.changes.update(written)
            self.origins.update(dict.fromkeys(written, self.stretch))

    def correct(self, recorded: JsonObject) -> None:
        """Lay over the data what the last join was recorded to have made of contested keys.

        Another version may have settled them by another rule; what is on record stands.
        """
        for key in self.contested & recorded.keys():
            if not unchanged(self.data[key], recorded[key]):
                self.data = self.data | {key: recorded[key]}
                if key in self.changes:
                    self.changes[key] = recorded[key]
        self.contested = frozenset()

    def fork(self, branches: int, numbers: "Numbers") -> "list[Scope]":
        """Return a child for each branch; this scope is frozen from now on."""
        self.children = branches
        seen = self.stretch.seen
        return [Scope(self.data, self, numbers.stretch(seen)) for _ in range(branches)]


class Numbers:
    """Gives the stretches of one execution their bits."""

    __slots__ = ("taken",)

    def __init__(self, taken: int = 1) -> None:
        self.taken = taken

    def stretch(self, past: int) -> Stretch:
        """Return a new stretch that begins after those of `past`."""
        bit = 1 << self.taken
        self.taken += 1
        return Stretch(bit, past)


class WithResult(Results):
    """A branch's results with one more, that is not written yet."""

    __slots__ = ("_beneath", "_result", "_step_id")

    def __init__(self, beneath: Results, step_id: str, result: JsonValue) -> None:
        self._beneath = beneath
        self._step_id = step_id
        self._result = result

    def result_of(self, step_id: str) -> JsonValue | Absent:
        """Return the new result, or the latest one beneath it."""
        return self._result if step_id == self._step_id else self._beneath.result_of(step_id)


def join(scopes: Sequence[Scope], numbers: Numbers) -> Scope:
    """Return one scope for several branches, in the declared order of their paths.

    The branches end here; where no other branch of their ancestor lives, the ancestor itself goes
    on in their place. Otherwise each fork and join would leave a level behind, and a look-up in a
    long chain of diamonds would go through all of them.
    """
    if len(scopes) == 1:
        return scopes[0]
    ancestor = _common_ancestor(scopes)
    past = 0
    for scope in scopes:
        past |= scope.stretch.seen
    joined = Scope(ancestor.data, ancestor, numbers.stretch(past))
    joined.passed = _latest([scope.passed for scope in scopes])
    parts = [part for scope in scopes for part in _since(scope, ancestor)]
    changes = [(p.changes, p.origins) for p in parts]
    joined.contested = _merge(changes, joined.changes, joined.origins)
    _merge([(p.results, p.result_origins) for p in parts], joined.results, joined.result_origins)
    if joined.changes:
        joined.data = ancestor.data | joined.changes
    for scope in scopes:
        _release(scope, ancestor)
    if ancestor.children == 0:
        return _absorb(ancestor, joined, numbers)
    ancestor.children += 1
    return joined


def drop(scope: Scope) -> None:
    """Take note that a branch is gone, with what it wrote."""
    while scope.parent is not None and scope.children == 0:
        scope = scope.parent
        scope.children -= 1


def _latest(passed: Sequence[dict[str, int]]) -> dict[str, int]:
    latest: dict[str, int] = {}
    for one in passed:
        for step_id, iteration in one.items():
            latest[step_id] = max(iteration, latest.get(step_id, 0))
    return latest


Written = tuple[dict[str, Any], dict[str, Stretch]]


def _merge(
    parts: Sequence[Written], values: dict[str, Any], origins: dict[str, Stretch]
) -> frozenset[str]:
    """Take of each key the last write in declared order that no other write came after; return the
    keys that were written more than once."""
    seen: dict[str, int] = {}
    contested: set[str] = set()
    for _, written_on in parts:
        for key, origin in written_on.items():
            if key in seen:
                contested.add(key)
                seen[key] |= origin.past
            else:
                seen[key] = origin.past
    for written, written_on in parts:
        for key, value in written.items():
            origin = written_on[key]
            if not seen[key] & origin.bit:
                values[key] = value
                origins[key] = origin
    return frozenset(contested)


def _release(scope: Scope, ancestor: Scope) -> None:
    while scope is not ancestor and scope.children == 0:
        assert scope.parent is not None, "a branch lies below its ancestor"
        scope = scope.parent
        scope.children -= 1


def _absorb(ancestor: Scope, joined: Scope, numbers: Numbers) -> Scope:
    ancestor.results.update(joined.results)
    ancestor.data, ancestor.contested = joined.data, joined.contested
    ancestor.passed = joined.passed
    if ancestor.parent is None:
        numbers.taken = 1  # No other branch lives: nothing is left to be compared.
        ancestor.stretch = FIRST
    else:
        ancestor.changes.update(joined.changes)
        ancestor.origins.update(joined.origins)
        ancestor.result_origins.update(joined.result_origins)
        ancestor.stretch = joined.stretch
    return ancestor


def _common_ancestor(scopes: Sequence[Scope]) -> Scope:
    nearest = scopes[0]
    for scope in scopes[1:]:
        nearest = _nearest_of_two(nearest, scope)
    return nearest


def _nearest_of_two(left: Scope, right: Scope) -> Scope:
    while left is not right:
        if left.depth >= right.depth:
            assert left.parent is not None, "two branches of one execution share its root"
            left = left.parent
        else:
            assert right.parent is not None, "two branches of one execution share its root"
            right = right.parent
    return left


def _since(scope: Scope, ancestor: Scope) -> list[Scope]:
    parts = []
    part: Scope | None = scope
    while part is not None and part is not ancestor:
        parts.append(part)
        part = part.parent
    return parts[::-1]
