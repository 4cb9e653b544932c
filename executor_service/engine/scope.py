"""What a branch sees and has written: the flowing data, the results of steps, its own changes.

A fork freezes its scope and gives each branch a child; a join makes one scope of several, standing
where the branches' nearest common ancestor stood. A branch's change is what it wrote since that
ancestor, not its whole copy: a value it only passed through never overwrites what another branch
wrote. All values are plain JSON and never changed in place.
"""

from collections.abc import Sequence

from executor_service.engine.references import Results
from executor_service.engine.values import ABSENT, Absent, unchanged
from steplog_contracts.payload import JsonObject, JsonValue


class Scope(Results):
    """One branch's view. Owned by exactly one branch, or frozen once it has children."""

    __slots__ = ("changes", "children", "data", "depth", "parent", "results")

    def __init__(self, data: JsonObject, parent: "Scope | None" = None) -> None:
        self.data = data
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.results: dict[str, JsonValue] = {}
        self.changes: JsonObject = {}
        self.children = 0  # Living ones: branches that run, and those that ended and still count.

    def result_of(self, step_id: str) -> JsonValue | Absent:
        """Return the latest result of the step on this branch."""
        scope: Scope | None = self
        while scope is not None:
            if step_id in scope.results:
                return scope.results[step_id]
            scope = scope.parent
        return ABSENT

    def write(self, step_id: str, result: JsonValue) -> None:
        """Take in a step's result: an object is laid over the data, anything else kept apart."""
        if type(result) is not dict or not result:
            self.results[step_id] = result
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
        self.results[step_id] = kept
        if written:
            self.data = data | written
            if self.parent is not None:
                self.changes.update(written)

    def fork(self, branches: int) -> "list[Scope]":
        """Return a child for each branch; this scope is frozen from now on."""
        self.children = branches
        return [Scope(self.data, self) for _ in range(branches)]


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


def join(scopes: Sequence[Scope]) -> Scope:
    """Return one scope for several branches, in the order their changes are to be laid on.

    The branches end here; where no other branch of their ancestor lives, the ancestor itself goes
    on in their place. Otherwise each fork and join would leave a level behind, and a look-up in a
    long chain of diamonds would go through all of them.
    """
    if len(scopes) == 1:
        return scopes[0]
    ancestor = _common_ancestor(scopes)
    joined = Scope(ancestor.data, ancestor)
    for scope in scopes:
        for part in _since(scope, ancestor):
            joined.changes.update(part.changes)
            joined.results.update(part.results)
    if joined.changes:
        joined.data = ancestor.data | joined.changes
    for scope in scopes:
        _release(scope, ancestor)
    if ancestor.children == 0:
        return _absorb(ancestor, joined)
    ancestor.children += 1
    return joined


def _release(scope: Scope, ancestor: Scope) -> None:
    while scope is not ancestor and scope.children == 0:
        assert scope.parent is not None, "a branch lies below its ancestor"
        scope = scope.parent
        scope.children -= 1


def _absorb(ancestor: Scope, joined: Scope) -> Scope:
    ancestor.results.update(joined.results)
    if ancestor.parent is not None:
        ancestor.changes.update(joined.changes)
    ancestor.data = joined.data
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
