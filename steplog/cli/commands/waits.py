"""`steplog waits`: the questions that wait for people, and what was answered."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from steplog.cli.connect.sources import open_read
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import out, plain_table, print_json
from steplog.cli.views.hints import command_line
from steplog.cli.views.question import checked, moment, print_question, state
from steplog.client.read_api import Parameter, path_of
from steplog.settings import SteplogSettings

MAX_QUESTIONS: Final = 500


def waits(
    execution_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Of this execution, answered ones too.")
    ] = None,
    include_answered: Annotated[
        bool, typer.Option("--all", help="Also what is answered, expired or cancelled.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=MAX_QUESTIONS, help="At most so many.")
    ] = 100,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """List the questions that wait for a person, oldest first; with ID all that it asked.

    $ steplog waits
    $ steplog waits ID
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    asked: dict[str, Parameter] = {
        "pending_only": "false" if include_answered else None,
        "limit": limit,
    }
    answer = asyncio.run(_read(settings, execution_id, asked))
    if as_json:
        print_json(answer)
    elif not answer["items"]:
        out.print("Nothing waits for a person." if execution_id is None else "It asked nobody.")
    elif execution_id is None:
        _print_list(answer["items"])
    else:
        for question in answer["items"]:
            print_question(question)


async def _read(
    settings: SteplogSettings, execution_id: str | None, asked: dict[str, Parameter]
) -> Mapping[str, Any]:
    async with open_read(settings) as read:
        if execution_id is None:
            return await read.get("/api/interactions", **asked)
        return await read.get(path_of(execution_id, "waits"))


def _print_list(questions: Sequence[Mapping[str, Any]]) -> None:
    table = plain_table("execution", "step", "asked", "until", "question")
    for question in map(checked, questions):
        table.add_row(
            escape(question["execution_id"]), escape(question["step_id"]),
            moment(question["created_at"]), moment(question["expires_at"]),
            escape(question["prompt"] or "-") + state(question),
        )  # fmt: skip
    out.print(table)
    see, answer = command_line("waits", "ID"), command_line("resume", "ID")
    out.print(f"[dim]See one with {escape(see)}, answer it with {escape(answer)}.[/]")
