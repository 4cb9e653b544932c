"""Commands that are loaded when they are called."""

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup


class LazyGroup(TyperGroup):
    """A group whose commands lie in modules of their own: `places` has `module:name` by command.

    A name is a function, or a Typer application for a group of commands. The parser's own classes
    are not public, so they have no types here.
    """

    places: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, _context: Any) -> list[str]:
        """Return the names, in the order they were given."""
        return list(self.places)

    def get_command(self, _context: Any, name: str) -> Any:
        """Load a command; None where there is none of the name."""
        place = self.places.get(name)
        return None if place is None else _loaded(name, place)

    @property
    def commands(self) -> Any:
        """Every command, loaded: for whoever looks at all of them."""
        return {name: _loaded(name, place) for name, place in self.places.items()}

    @commands.setter
    def commands(self, _given: Any) -> None:
        """The places say it all."""


def _loaded(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name)(found)
        found = alone
    command = typer.main.get_command(found)
    command.name = name
    return command
