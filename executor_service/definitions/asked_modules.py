"""The modules of the definitions that somebody asked for in this process, and no others.

A file of embedded mode may hold commands and executions of other people, and importing what those
name runs code. Whoever asks for one definition allows the modules of that one; the rest is left as
it is, for a process that is allowed more.
"""

from executor_service.definitions.named_modules import modules_named
from executor_service.definitions.step_loader import Allowlist, NotLoadable
from executor_service.errors import ExecutorError
from steplog_contracts.payload import JsonObject, sha256_of

# Definitions whose modules are known without reading them again.
MAX_KNOWN = 256


class NotAskedFor(ExecutorError):
    """Work whose modules nobody here asked for: it is left for another process, not refused."""

    def __init__(self, modules: frozenset[str]) -> None:
        names = ", ".join(sorted(modules))
        super().__init__(f"It needs modules that this process may not import: {names}.")


def is_left(error: BaseException) -> bool:
    """Say whether an error means that work is left for another process."""
    return isinstance(error, NotAskedFor) or isinstance(error.__cause__, NotAskedFor)


class AskedModules(Allowlist):
    """An allowlist that grows with what is asked for, and notes what it left alone."""

    def __init__(self) -> None:
        super().__init__()
        # A class may come from wherever a module that was asked for has it from.
        self._everything = True
        self._asked: set[str] = set()
        self._left: set[str] = set()
        self._known: dict[str, frozenset[str]] = {}

    @property
    def left(self) -> frozenset[str]:
        """Return the modules that other work here names and that nobody asked for."""
        return frozenset(self._left - self._asked)

    def ask_for(self, definition: JsonObject) -> None:
        """Allow the modules that a definition names."""
        self._asked |= self._modules(definition)

    def admit(self, definition: JsonObject) -> None:
        """Raise `NotAskedFor` for a definition that names other modules."""
        others = self._modules(definition) - self._asked
        if others:
            self._left |= others
            raise NotAskedFor(others)

    def check(self, module: str) -> None:
        """Raise `NotLoadable` for a module of nobody's asking, and for one that never may be."""
        if module not in self._asked:
            raise NotLoadable(
                f"Module '{module}' is of no definition that was asked for here.",
                "allow it with STEPLOG_STEP_MODULES",
            )
        super().check(module)

    def _modules(self, definition: JsonObject) -> frozenset[str]:
        digest = sha256_of(definition)
        found = self._known.get(digest)
        if found is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            found = self._known[digest] = modules_named(definition)
        return found
