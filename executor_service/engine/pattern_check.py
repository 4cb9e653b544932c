"""Whether the patterns of a definition's conditions can be compiled, each and all together."""

from collections.abc import Callable
from typing import Final

from executor_service.engine.operators import compiled
from executor_service.errors import ConditionFailed
from steplog_contracts.payload import JsonValue

# Characters of all the different patterns of a definition; a second to compile.
MAX_CHARS_TOGETHER: Final = 50_000

Report = Callable[[str, str, str], None]


class PatternCheck:
    """The patterns of one definition."""

    def __init__(self, problem: Report) -> None:
        self._problem = problem
        self._known: set[str] = set()
        self._chars = 0

    def check(self, pattern: JsonValue, value: object, where: str) -> bool:
        """Say whether a pattern can be used; reports why not. `value` is its compiled template: one
        that comes out of data is checked when it is known."""
        if not isinstance(pattern, str):
            self._problem(f"{where}.value", "A pattern is text.", "")
            return False
        if value is not pattern or pattern in self._known:
            return True
        self._known.add(pattern)
        self._chars += len(pattern)
        if self._chars > MAX_CHARS_TOGETHER:
            self._problem(
                f"{where}.value",
                f"The patterns of a definition have at most {MAX_CHARS_TOGETHER} characters "
                "together.",
                "ask for values of the data instead",
            )
            return False
        try:
            compiled(pattern)
        except ConditionFailed as error:
            self._problem(f"{where}.value", str(error), "")
            return False
        return True
