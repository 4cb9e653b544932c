"""Query parameters nobody asked for: refused on every route, with the one that was meant.

What a route takes is what its signature and those of its dependencies declare; `Taking` declares
what is read from the request itself. A filter that is passed over in silence answers with
everything, which reads like an answer.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from fastapi.dependencies.models import Dependant

from tracker_service.http_api.problems import BadQuestion

# Names of metadata are the users' own.
METADATA: Final = "metadata."
MAX_NAME_CHARS: Final = 60


@dataclass(frozen=True, slots=True)
class Taking:
    """A dependency that declares parameters which its route reads by itself."""

    names: tuple[str, ...]

    def __call__(self) -> None:
        """Do nothing: the declaration is all."""


@dataclass(frozen=True, slots=True)
class Known:
    """What one route takes."""

    names: frozenset[str]
    takes_metadata: bool

    def refusal(self, name: str) -> str | None:
        """Return why a parameter can't be given, None where it can."""
        if name in self.names or (self.takes_metadata and name.startswith(METADATA)):
            return None
        shown = name[:MAX_NAME_CHARS]
        taken = sorted(self.names)
        if self.takes_metadata:
            taken.append(f"{METADATA}<key>")
        meant = difflib.get_close_matches(name, taken, 1)
        hint = f"; did you mean {meant[0]}?" if meant else "."
        listed = f" It takes {', '.join(taken)}." if taken else " It takes none."
        return f"There is no parameter {shown!r} here{hint}{listed}"


async def known_parameters(request: Request) -> None:
    """Refuse a parameter that the route does not take.

    Raises:
        BadQuestion: it has one; the text names those there are.
    """
    refusal = refused_parameter(request)
    if refusal is not None:
        raise BadQuestion(refusal)


def refused_parameter(request: Request, *everywhere: str) -> str | None:
    """Return why a request's first unknown parameter is refused, None where all are known;
    `everywhere` are taken by every route."""
    if not request.query_params:
        return None
    known = _known(request.scope["route"])
    given = (name for name in request.query_params if name not in everywhere)
    return next((refusal for name in given if (refusal := known.refusal(name))), None)


def _known(route: Any) -> Known:
    beside = [one.dependency for one in route.dependencies if isinstance(one.dependency, Taking)]
    names = frozenset([*_declared(route.dependant), *(n for one in beside for n in one.names)])
    return Known(names - {METADATA}, METADATA in names)


def _declared(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        yield field.alias
    if isinstance(dependant.call, Taking):
        yield from dependant.call.names
    for dependency in dependant.dependencies:
        yield from _declared(dependency)
