"""`steplog convert`: a definition from one of another language, as far as it maps."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from executor_service.library.asl import converted
from steplog.cli.views.console import print_json, print_warning
from steplog.client.json_input import definition_in


class Language(StrEnum):
    """What can be converted."""

    ASL = "asl"


def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The definition's file.")],
    source: Annotated[Language, typer.Option("--from", help="asl: Amazon States Language.")],
) -> None:
    """Write a definition from one of another language.

    What does not map is said on stderr, a sentence each with its place; check the result.

    $ steplog convert machine.asl.json --from asl
    """
    del source  # There is one.
    found = converted(dict(definition_in(file)), file.name.partition(".")[0] or "converted")
    for note in found.notes:
        print_warning(note)
    print_json(found.definition)
