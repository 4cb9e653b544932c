"""`@step`: a plain or async function as a step, its parameters taken from the data by name."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Generic, ParamSpec, TypeVar, overload

from pydantic import TypeAdapter, ValidationError

from executor_service.errors import InputMismatch
from executor_service.steps.step import Step

P = ParamSpec("P")
R = TypeVar("R")

MAX_KEYS_SHOWN: Final = 20
MAX_MISFITS_SHOWN: Final = 5
_REQUIRED: Final = object()
# Parameters of these names are given what the step has, not a value of the data.
GIVEN: Final[dict[str, Callable[[Step, Any], Any]]] = {
    "data": lambda _, data: data,
    "config": lambda step, _: step.config,
    "context": lambda step, _: step.context,
    "logger": lambda step, _: step.logger,
    "services": lambda step, _: step.services,
}
_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class FunctionStep(Step):
    """A step that runs a function; `@step` derives one class from it for each function."""

    function: ClassVar["StepFunction[..., Any]"]


class StepFunction(Generic[P, R]):
    """A function that a definition may name as a step, and that is called like any other.

    `keys` are those of each step of a built pipeline that runs it, unless the step says otherwise.
    `fallback` and `compensate` are decorators for functions that answer for a failed run and undo a
    completed one.
    """

    def __init__(self, function: Callable[P, R], keys: Mapping[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.keys = dict(keys)
        self._parameters = _parameters_of(function)
        self._methods: dict[str, Callable[..., Any]] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, as in its own tests."""
        return self.function(*args, **kwargs)

    @property
    def name(self) -> str:
        """The function's name, which the definition's `step_class` is."""
        return str(getattr(self.function, "__name__", ""))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names that may stand in the step's configuration in place of the data's."""
        return tuple(name for name in self._parameters if name not in GIVEN)

    def fallback(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Have `function(data, error)` answer for a run that failed."""
        self._methods["fallback"] = function
        self.keys["enable_fallback"] = True
        return function

    def compensate(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Have `function(data, result)` undo a completed run."""
        self._methods["compensate"] = function
        return function

    @functools.cached_property
    def step_class(self) -> type[Step]:
        """The class that runs the function.

        Raises:
            Exception: an annotation has no meaning; whatever reading it raises.
        """
        body: dict[str, Any] = {name: _method(function) for name, function in self._methods.items()}
        body["run"] = self._run_method()
        body |= {"function": self, "__module__": self.__module__, "__doc__": self.__doc__}
        return type(self.name, (FunctionStep,), body)

    def _run_method(self) -> Callable[..., Any]:
        function = self.function
        values = _Values(self.name, self._parameters, _types_of(function))
        by_name: Callable[..., Any] = function
        if inspect.iscoroutinefunction(function):

            async def run(step: Step, data: Any) -> Any:
                return await by_name(**values.of(step, data))

            return run

        def run_plain(step: Step, data: Any) -> Any:
            return by_name(**values.of(step, data))

        return run_plain


class _Values:
    """Finds what a function is given: from the configuration, the data, or its own default."""

    def __init__(
        self, name: str, parameters: Mapping[str, Any], types: Mapping[str, TypeAdapter[Any]]
    ) -> None:
        self._name, self._types = name, types
        self._given = {name: GIVEN[name] for name in parameters if name in GIVEN}
        self._wanted = {key: value for key, value in parameters.items() if key not in GIVEN}

    def of(self, step: Step, data: Any) -> dict[str, Any]:
        found = {name: give(step, data) for name, give in self._given.items()}
        for name, default in self._wanted.items():
            if name in step.config:
                found[name] = self._fitting(name, step.config[name])
            elif name in data:
                found[name] = self._fitting(name, data[name])
            elif default is _REQUIRED:
                raise InputMismatch(self._missing(name, data))
        return found

    def _fitting(self, name: str, value: Any) -> Any:
        adapter = self._types.get(name)
        if adapter is None:
            return value
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            raise InputMismatch(
                f"Step function {self._name}() can't take its data: {_misfits(name, error)}."
            ) from None

    def _missing(self, name: str, data: Any) -> str:
        keys = [str(key) for key in data][:MAX_KEYS_SHOWN]
        has = f"the data has {', '.join(keys)}" if keys else "the data is empty"
        return (
            f"Step function {self._name}() needs '{name}': neither the step's config nor the data "
            f"has it ({has}). Give it a default, or have an earlier step return it."
        )


@overload
def step(function: Callable[P, R], /) -> StepFunction[P, R]: ...
@overload
def step(
    *,
    retries: int | None = None,
    retry_delay_seconds: float | None = None,
    timeout_seconds: float | None = None,
    **keys: Any,
) -> Callable[[Callable[P, R]], StepFunction[P, R]]: ...
def step(function: Callable[..., Any] | None = None, /, **keys: Any) -> Any:
    """Make a function a step: `@step`, or `@step(retries=3, timeout_seconds=10)`.

    Its parameters are taken by name from the step's configuration, else from the flowing data and
    the results of earlier steps, else they have their defaults; annotations are held to, pydantic
    models and dataclasses made. `data`, `config`, `context`, `logger` and `services` are given what
    the step has of that name. What it returns is the step's result.

    `retries` are tries after the first; `keys` are further keys of a step in a definition
    (docs/flow.md), such as `effects="none"`. All of them are for a flow built with `pipeline()`; a
    definition in JSON says its own.

    Raises:
        TypeError: it is no function, or takes `*args` or `**kwargs`.
    """
    if function is not None:
        return StepFunction(function, keys)
    return lambda decorated: StepFunction(decorated, keys)


def _parameters_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return each parameter's default, `_REQUIRED` where it has none."""
    if not inspect.isfunction(function):
        raise TypeError(f"@step is for functions, not for a {type(function).__name__}.")
    parameters = inspect.signature(function).parameters.values()
    for one in parameters:
        if one.kind not in _NAMED:
            raise TypeError(
                f"{function.__qualname__}() takes '{one}', which has no name to be taken from the "
                "data by; name each parameter, or take `data`, which is all of it."
            )
    return {
        one.name: _REQUIRED if one.default is inspect.Parameter.empty else one.default
        for one in parameters
    }


def _types_of(function: Callable[..., Any]) -> dict[str, TypeAdapter[Any]]:
    hints = inspect.get_annotations(function, eval_str=True)
    return {
        name: TypeAdapter(hint)
        for name, hint in hints.items()
        if name != "return" and name not in GIVEN and hint is not Any
    }


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the data as a method of a step."""
    if inspect.iscoroutinefunction(function):

        async def method(_: Step, *args: Any) -> Any:
            return await function(*args)

        return method
    return lambda _, *args: function(*args)


def _misfits(name: str, error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    told = [
        f"{'.'.join(map(str, (name, *one['loc'])))}: {one['msg']}"
        for one in found[:MAX_MISFITS_SHOWN]
    ]
    if len(found) > len(told):
        told.append(f"and {len(found) - len(told)} more")
    return "; ".join(told)
