"""What an exception says of itself, asked so that nothing it does can get out of hand.

An exception is users' code too: its text, its attributes and its class may raise, exit, or claim to
be another. Its true class is asked of the interpreter, everything else through the one guard.
"""

from collections.abc import Iterator
from typing import Any, Final

from executor_service.engine.user_code import Raised, call

# Of a group's exceptions, however deep they lie, and of the causes behind one.
MAX_INNER: Final = 20
MAX_CAUSES: Final = 10
_CLASS_NAME: Final[Any] = type.__dict__["__name__"]
_QUALIFIED_NAME: Final[Any] = type.__dict__["__qualname__"]
_MRO: Final[Any] = type.__dict__["__mro__"]
_MODULE: Final[Any] = type.__dict__["__module__"]


def class_name(cls: type) -> str:
    """Return a class's name, dotted with its module unless built in."""
    name: str = _QUALIFIED_NAME.__get__(cls)
    module = _module(cls)
    return name if module in ("builtins", "") else f"{module}.{name}"


def bare_name(cls: type) -> str:
    """Return a class's name alone."""
    name: str = _CLASS_NAME.__get__(cls)
    return name


def class_names(error: BaseException) -> frozenset[str]:
    """Return every name an exception answers to: bare and dotted, of its class and its bases."""
    names: set[str] = set()
    for cls in _MRO.__get__(type(error)):
        names |= {bare_name(cls), f"{_module(cls)}.{_QUALIFIED_NAME.__get__(cls)}"}
    return frozenset(names)


def text_of(error: BaseException) -> str:
    """Return an exception's own text; its class where there is none or none can be made."""
    try:
        text = call(str, error)
    except Raised:
        return f"{bare_name(type(error))} (its text could not be made)"
    return str.__str__(text) or bare_name(type(error))


def inner_errors(error: BaseException) -> list[BaseException]:
    """Return the exceptions that lie in a group, without the groups between; else the exception."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting and len(found) < MAX_INNER:
        first = waiting.pop(0)
        if issubclass(type(first), BaseExceptionGroup):
            waiting[:0] = BaseExceptionGroup.exceptions.__get__(first)
        else:
            found.append(first)
    return found


def causes(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """Yield what lies behind an exception, and whether it was named as its cause."""
    seen = {id(error)}
    for _ in range(MAX_CAUSES):
        named = own_attribute(error, "__cause__")
        hidden = own_attribute(error, "__suppress_context__")
        behind = named
        if behind is None and not hidden:
            behind = own_attribute(error, "__context__")
        if behind is None or id(behind) in seen:
            return
        seen.add(id(behind))
        yield behind, named is not None
        error = behind


def notes(error: BaseException) -> list[str]:
    """Return what was added to an exception with `add_note`."""
    try:
        found = call(getattr, error, "__notes__", None)
        return [str.__str__(note) for note in found if isinstance(note, str)][:MAX_CAUSES]
    except (Raised, TypeError):
        return []


def own_attribute(error: BaseException, name: str) -> Any:
    """Return what the interpreter knows of an exception, whatever its class says."""
    return BaseException.__dict__[name].__get__(error)


def _module(cls: type) -> str:
    module = _MODULE.__get__(cls)
    return str.__str__(module) if isinstance(module, str) else ""
