"""Step classes and condition functions, loaded by name from allowed modules only.

A definition may arrive over the network, and importing what it names runs code: so nothing is
imported that the allowlist does not name, and never a module of the standard library.
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Final

from executor_service.engine.exception_facts import bare_name, text_of
from executor_service.engine.user_code import Raised, call
from executor_service.errors import ExecutorError
from executor_service.steps.step import Step
from executor_service.steps.step_function import StepFunction
from steplog_contracts.payload import JsonObject

_WILDCARD: Final = ".*"
# What `python -m package` runs: importing it runs the program.
_PROGRAM: Final = "__main__"
MAX_REASON_CHARS: Final = 500


class NotLoadable(ExecutorError):
    """A module, class or function that a definition names and that can't be used."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Allowlist:
    """Modules that definitions may name: exact names, or `package.*` for a package and all in it.

    The standard library and builtins are refused whatever the list says.
    """

    def __init__(self, modules: Iterable[str] = ()) -> None:
        names = [name.strip() for name in modules if name.strip()]
        self._exact = frozenset(name for name in names if not name.endswith(_WILDCARD))
        self._packages = tuple(
            name.removesuffix(_WILDCARD) for name in names if name.endswith(_WILDCARD)
        )
        self._everything = False

    @classmethod
    def everything(cls) -> "Allowlist":
        """Return a list that allows every installed module but the standard library's.

        For code that runs its own definitions in its own process; never for the service.
        """
        allowlist = cls()
        allowlist._everything = True
        return allowlist

    def allows(self, module: str) -> bool:
        """Say whether the module may be imported for a definition."""
        if not module or module.startswith("."):
            return False
        top, _, last = module.partition(".")[0], *module.rpartition(".")[1:]
        if top in sys.stdlib_module_names or (last == _PROGRAM and module != _PROGRAM):
            return False
        return (
            self._everything
            or module in self._exact
            or any(
                module == package or module.startswith(f"{package}.") for package in self._packages
            )
        )

    def admit(self, definition: JsonObject) -> None:
        """Raise where a definition is none of this process's business; here each one is."""

    def check(self, module: str) -> None:
        """Raise NotLoadable unless the module is allowed."""
        if not self.allows(module):
            raise NotLoadable(
                f"Module '{module}' is not on the allowlist.",
                "add it to STEPLOG_STEP_MODULES, exactly or as 'package.*', and restart the "
                "executor; the standard library is never allowed",
            )


def load_step_class(module: str, class_name: str, allowlist: Allowlist | None = None) -> type[Step]:
    """Return the step class; without an allowlist any installed module but the standard library.

    Raises:
        NotLoadable: module off the list, not importable, or the name is no class with `run`.
    """
    loaded = _attribute(module, class_name, allowlist or Allowlist.everything())
    if isinstance(loaded, StepFunction):
        loaded = _class_of(module, loaded)
    if not isinstance(loaded, type) or not callable(getattr(loaded, "run", None)):
        raise NotLoadable(
            f"'{class_name}' in module '{module}' is no step class.",
            "name a class that derives from steplog.Step, or a function under @step",
        )
    step_class: type[Step] = loaded
    return step_class


def _class_of(module: str, function: StepFunction[..., Any]) -> type[Step]:
    try:
        found: type[Step] = call(getattr, function, "step_class")
    except Raised as raised:
        raise NotLoadable(
            f"The parameters of '{function.name}' in module '{module}' can't be read: "
            f"{_reason(raised.error)}.",
            "annotate them with types that its module has at run time",
        ) from raised.error
    return found


def load_function(
    module: str, function_name: str, allowlist: Allowlist
) -> Callable[[Any, Any], Any]:
    """Return a condition function `(context, parameters) -> bool`.

    Raises:
        NotLoadable: module off the list, not importable, or the name is no plain function.
    """
    loaded = _attribute(module, function_name, allowlist)
    if not callable(loaded) or isinstance(loaded, type):
        raise NotLoadable(f"'{function_name}' in module '{module}' is no function.")
    if inspect.iscoroutinefunction(loaded):
        raise NotLoadable(
            f"'{function_name}' in module '{module}' is asynchronous.",
            "a condition is a plain function; do the waiting in a step",
        )
    function: Callable[[Any, Any], Any] = loaded
    return function


def _imported(module: str) -> ModuleType:
    """Import a module, and take back what it did to how deep everybody's calls may go."""
    limit = sys.getrecursionlimit()
    try:
        return importlib.import_module(module)
    finally:
        sys.setrecursionlimit(limit)


def _attribute(module: str, name: str, allowlist: Allowlist) -> Any:
    allowlist.check(module)
    try:
        imported = call(_imported, module)
    except Raised as raised:
        raise NotLoadable(
            f"Module '{module}' can't be imported: {_reason(raised.error)}.",
            "install it where the executor runs",
        ) from raised.error
    # What a module merely imported is not its own to offer: `from os import system` in an
    # allowed module must not make `system` callable from a definition.
    try:
        found = None if name.startswith("__") else call(getattr, imported, name, None)
        home = call(getattr, found, "__module__", None)
    except Raised as raised:  # A module may load its names late, and fail then.
        raise NotLoadable(
            f"'{name}' in module '{module}' can't be loaded: {_reason(raised.error)}.",
            "install what it needs where the executor runs",
        ) from raised.error
    if found is None:
        raise NotLoadable(f"Module '{module}' has no '{name}'.", "check the spelling")
    if not isinstance(home, str | None):
        raise NotLoadable(f"'{name}' in module '{module}' does not say where it belongs.")
    if home is not None and home != module and not allowlist.allows(home):
        raise NotLoadable(
            f"'{name}' in module '{module}' belongs to '{home}', which is not on the allowlist."
        )
    return found


def _reason(error: BaseException) -> str:
    return f"{bare_name(type(error))}: {text_of(error)[:MAX_REASON_CHARS]}"
