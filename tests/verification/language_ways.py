"""The ways of a random definition: its paths by their indices, who can reach whom, what is taken.

Indices as the log has them: first the declared paths, then those of each step in its order, the
places of a switch before what is caught.
"""

from functools import cache
from typing import Any

from tests.verification.language_cases import Data, LanguageCase, PathCase

# Only those names that are drawn in a `catch`.
_BASES = {"StepSilent": ("StepTimedOut",)}


def errors_named(error_type: str, *, of_child: bool) -> set[str]:
    """Return the names that an error is caught by; of a child's only its own is known."""
    name = error_type.rpartition(".")[2]
    return {name, "*", *(() if of_child else _BASES.get(name, ()))}


class Ways:
    """The ways of one definition."""

    def __init__(self, case: LanguageCase) -> None:
        self._case = case
        self._from: list[str] = []
        self._to: list[str] = []
        self._declared: dict[int, list[tuple[int, PathCase]]] = {}
        self._places: dict[int, list[tuple[int, str]]] = {}
        self._catches: dict[int, list[tuple[int, str]]] = {}
        for path in case.declared():
            index = self._add(path.source, path.to)
            self._declared.setdefault(path.source, []).append((index, path))
        for number, step in enumerate(case.steps):
            if step.kind == "switch":
                places = [path.to for path in case.cases(number)] or ["end_here"]
                for place in dict.fromkeys([*places, "end_here"]):
                    index = self._add(number, place)
                    self._places.setdefault(number, []).append((index, place))
            for error, to, _ in step.catches:
                self._catches.setdefault(number, []).append((self._add(number, to), error))
        self.reach = cache(self._reach)

    def _add(self, source: int, to: str) -> int:
        self._from.append(f"s{source}")
        self._to.append(to)
        return len(self._to) - 1

    def end_of(self, index: int) -> str:
        """Return where a path leads."""
        return self._to[index]

    def is_step(self, place: str) -> bool:
        return place.startswith("s")

    def _reach(self, source: str, without: frozenset[str]) -> frozenset[str]:
        """Return the steps that paths lead to, none of them through a join that left the branch."""
        seen: set[str] = set()
        look = [source]
        while look:
            here = look.pop()
            for start, end in zip(self._from, self._to, strict=True):
                if start == here and self.is_step(end) and end not in seen | without:
                    seen.add(end)
                    look.append(end)
        return frozenset(seen)

    def chosen(self, step: int, data: Data) -> str:
        """Return where a switch goes."""
        holding = [path.to for path in self._case.cases(step) if path.holds(data)]
        return holding[0] if holding else "end_here"

    def after(self, step: int, data: Data, output: Any) -> tuple[int, ...]:
        """Return the paths that are taken after a step."""
        if self._case.steps[step].kind == "switch":
            return tuple(index for index, place in self._places[step] if place == output)
        on_false = self._case.steps[step].kind == "condition" and output is False
        return tuple(
            index
            for index, path in self._declared.get(step, [])
            if path.holds(data) and not on_false
        )

    def caught(self, step: int, names: set[str]) -> int | None:
        """Return the path of the first `catch` that an error falls under."""
        return next((i for i, error in self._catches.get(step, []) if error in names), None)

    def keeps_error(self, step: int, index: int) -> bool:
        """Say whether a path that is taken after an error lays it over the data."""
        place = [way for way, _ in self._catches[step]].index(index)
        return self._case.steps[step].catches[place][2]
