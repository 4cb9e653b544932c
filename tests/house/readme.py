"""The commands that README and the guide pages tell people to type."""

import re
import shlex
from dataclasses import dataclass

from tests.house.rules import ROOT

_BLOCK = re.compile(r"^```(?:console|sh|shell|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"^\w+=")


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


def typed_commands() -> list[TypedCommand]:
    """Return every command of every page, in order."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
    return [
        TypedCommand(page.name, line.removeprefix("$ "))
        for page in pages
        for block in _BLOCK.findall(page.read_text())
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


def make_targets() -> set[str]:
    """Return the Makefile's targets."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
