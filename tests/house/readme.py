"""What README and the guide pages tell people to type, copy and open."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from steplog.cli.lazy import loaded
from steplog.cli.main import app
from tests.house.rules import ROOT
from tests.house.tree import texts

# A block inside a list is indented.
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SHELLS = frozenset({"console", "sh", "shell", "bash"})
_ASSIGNMENT = re.compile(r"^\w+=")
_LINK = re.compile(r"\]\(([^)#\s]+)")
# Code inside a sentence.
_QUOTED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_COMMAND_NAME = re.compile(r"^[a-z][a-z-]*$")
_REPOSITORY_PATH = re.compile(r"^[\w.-]+(/[\w.-]+)*/?$")


@dataclass(frozen=True)
class Block:
    """Lines of code on a page."""

    page: str
    language: str
    text: str


@dataclass(frozen=True)
class TypedCommand:
    """One line after a prompt."""

    page: str
    line: str

    @property
    def words(self) -> list[str]:
        """Return the words, variables set in front left out."""
        words = shlex.split(self.line, comments=True)
        while words and _ASSIGNMENT.match(words[0]):
            words.pop(0)
        return words


def pages() -> list[Path]:
    """Return every page people read, README first."""
    folders = ("docs", "deploy", "examples")
    found = [page for folder in folders for page in sorted((ROOT / folder).rglob("*.md"))]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *found]


def name_of(page: Path) -> str:
    """Return a page's path from the root."""
    return page.relative_to(ROOT).as_posix()


def blocks(*languages: str) -> list[Block]:
    """Return the blocks of code in these languages, in the order of the pages."""
    return [
        Block(name_of(page), language, text)
        for page in pages()
        for language, text in _BLOCK.findall(page.read_text())
        if language in languages
    ]


def typed_commands() -> list[TypedCommand]:
    """Return every command of every page, in order."""
    return [
        TypedCommand(block.page, line.strip().removeprefix("$ "))
        for block in blocks(*_SHELLS)
        for line in block.text.splitlines()
        if line.lstrip().startswith("$ ")
    ]


def quoted(page: Path) -> list[str]:
    """Return code inside sentences, blocks left out."""
    return _QUOTED.findall(_BLOCK.sub("", page.read_text()))


def quoted_commands(page: Path) -> Iterator[list[str]]:
    """Yield each command of ours that a sentence names; `a | b` names two."""
    for text in quoted(page):
        words = re.sub(r"^(\w+=\S* )*", "", text).split()
        if len(words) > 1 and words[0] == "steplog":
            names = [word for word in words[1:3] if _COMMAND_NAME.match(word)]
            if names:
                yield names
                yield from ([names[0], other] for other in re.findall(r"\| ([a-z-]+)", text))


def lost_links(page: Path) -> list[str]:
    """Return links to files that are not there."""
    links = [link for link in _LINK.findall(page.read_text()) if "://" not in link]
    return [link for link in links if not (page.parent / link).exists()]


def lost_paths(page: Path) -> list[str]:
    """Return paths from the root, named in sentences, where nothing is."""
    # Not what lies here: a demo, a stack or a user leaves folders of their own.
    folders = {name.split("/")[0] for name in texts() if "/" in name}
    named = [text for text in quoted(page) if _REPOSITORY_PATH.match(text)]
    ours = [text for text in named if "/" in text and text.split("/")[0] in folders]
    return [text for text in ours if not (ROOT / text).exists()]


def make_targets() -> set[str]:
    """Return the Makefile's targets."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def parse_steplog(arguments: list[str]) -> None:
    """Parse as the command line does, without running; a wrong word raises its usage error."""
    _parse(typer.main.get_command(app), "steplog", arguments, None)


def _parse(command: Any, name: str | None, words: list[str], parent: Any) -> None:
    with command.make_context(name, list(words), parent=parent) as context:
        if hasattr(command, "resolve_command"):
            rest = [*context._protected_args, *context.args]
            found_name, found, left = command.resolve_command(context, rest)
            _parse(found, found_name, left, context)


def is_command(names: list[str]) -> bool:
    """Whether the command line has this command, or this command of a group."""
    first, *rest = names
    command = loaded(first)
    # What follows a command that is no group is its argument.
    below = getattr(command, "commands", None)
    return command is not None and (not rest or below is None or rest[0] in below)
