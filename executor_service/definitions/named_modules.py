"""The modules that a definition names, found out without importing any of them."""

from collections.abc import Iterator

from executor_service.definitions.parser import read_definition
from executor_service.definitions.step_loader import Allowlist
from steplog_contracts.definition_parts import LANGUAGE
from steplog_contracts.payload import JsonObject


class _Noted(Allowlist):
    def __init__(self) -> None:
        super().__init__()
        self.modules: set[str] = set()

    def allows(self, module: str) -> bool:
        self.modules.add(module)
        return True


def modules_named(definition: JsonObject) -> frozenset[str]:
    """Return the modules of a definition's steps and condition functions, and of those of the
    children that are written into it."""
    noted = _Noted()
    for one in _with_children(definition):
        for language in range(1, LANGUAGE + 1):  # Whichever it is read by.
            read_definition(one, noted, is_recorded=True, language=language, imports=False)
    return frozenset(noted.modules)


def _with_children(definition: JsonObject) -> Iterator[JsonObject]:
    waiting = [definition]
    while waiting:
        one = waiting.pop()
        yield one
        steps = one.get("steps")
        children = (
            step.get("definition") for step in steps if isinstance(step, dict)
        ) if isinstance(steps, list) else ()  # fmt: skip
        waiting += [child for child in children if isinstance(child, dict)]
