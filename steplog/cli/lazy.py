"""Commands that are loaded when they are called, and listed without that.

In the help of a command, lines that begin with `$ ` are its examples and stand at the end.
"""

import importlib
from collections.abc import Iterator
from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup

from steplog.cli.catalogue import PANELS, Entry

EXAMPLE = "$ "


class LazyGroup(TyperGroup):
    """The commands of the catalogue.

    The parser's own classes are not public, so they have no types here.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        # What is listed: names, panels and summaries.
        self.commands = {
            name: TyperCommand(name=name, help=escape(entry.summary), rich_help_panel=panel)
            for panel, name, entry in entries()
        }

    def list_commands(self, _context: Any) -> list[str]:
        """Return the names, in the order of the catalogue."""
        return list(self.commands)

    def resolve_command(self, context: Any, arguments: list[str]) -> Any:
        """Return the name, the command itself, now loaded, and its arguments."""
        name, listed, rest = super().resolve_command(context, arguments)
        return name, None if listed is None else loaded(str(name)), rest


def entries() -> Iterator[tuple[str, str, Entry]]:
    """Yield panel, name and entry of each command."""
    for panel, commands in PANELS.items():
        for name, entry in commands.items():
            yield panel, name, entry


def loaded(name: str) -> Any:
    """Return a command of the catalogue for the parser, or None."""
    place = next((entry.place for _, other, entry in entries() if other == name), None)
    if place is None:
        return None
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        command: Any = typer.main.get_group(found)
    else:
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name)(found)
        command = typer.main.get_command(alone)
    command.name = name
    for one in (command, *getattr(command, "commands", {}).values()):
        one.help, one.epilog = _help_and_examples(one.help or "")
        for parameter in one.params:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = " "  # A flag takes no value, so none is named.
    return command


def _help_and_examples(text: str) -> tuple[str, str | None]:
    lines = text.splitlines()
    examples = [line for line in lines if line.startswith(EXAMPLE)]
    told = "\n".join(line for line in lines if line not in examples).strip()
    # Lines are as long as the reader's terminal has them, not as the source does.
    paragraphs = [" ".join(paragraph.split()) for paragraph in told.split("\n\n")]
    shown = escape("\n\n".join(paragraphs))
    if not examples:
        return shown, None
    title = "[bold]Example[/]" if len(examples) == 1 else "[bold]Examples[/]"
    return shown, "\n".join([title, *(escape(line) for line in examples)])
