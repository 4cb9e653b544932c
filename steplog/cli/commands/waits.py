"""`steplog waits`: the questions that wait for people, and what was answered."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from steplog.cli.connect.sources import open_read
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import out, plain_table, print_json, short_json, short_moment
from steplog.cli.views.hints import command_line
from steplog.client.read_api import Parameter, path_of
from steplog.settings import SteplogSettings
from steplog_contracts.answer_form import assigned_to
from steplog_contracts.records import InteractionRecord

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


def _checked(question: Mapping[str, Any]) -> Mapping[str, Any]:
    InteractionRecord.model_validate(question)
    return question


async def _read(
    settings: SteplogSettings, execution_id: str | None, asked: dict[str, Parameter]
) -> Mapping[str, Any]:
    async with open_read(settings) as read:
        if execution_id is None:
            return await read.get("/api/interactions", **asked)
        return await read.get(path_of(execution_id, "waits"))


def _print_list(questions: Sequence[Mapping[str, Any]]) -> None:
    table = plain_table("execution", "step", "asked", "until", "question")
    for question in map(_checked, questions):
        table.add_row(
            escape(question["execution_id"]), escape(question["step_id"]),
            _moment(question["created_at"]), _moment(question["expires_at"]),
            escape(question["prompt"] or "-") + _state(question),
        )  # fmt: skip
    out.print(table)
    see, answer = command_line("waits", "ID"), command_line("resume", "ID")
    out.print(f"[dim]See one with {escape(see)}, answer it with {escape(answer)}.[/]")


def print_question(question: Mapping[str, Any]) -> None:
    """Print a question with the form of its answer, or with its answer."""
    _checked(question)
    out.print(f"[bold]{escape(question['step_id'])}[/]  {escape(question['prompt'] or '')}")
    for name, value in _facts(question):
        out.print(f"  [dim]{name}[/]  {escape(value)}", soft_wrap=True)


def _facts(question: Mapping[str, Any]) -> list[tuple[str, str]]:
    asked = f"{_moment(question['created_at'])}, until {_moment(question['expires_at'])}"
    facts = [("asked", asked)]
    names = assigned_to(question.get("assigned_users"))
    if names:
        facts.append(("of", ", ".join(names)))
    if question["status"] != "pending":
        facts.append((question["status"], _moment(question["completed_at"])))
        facts.append(("answer", short_json(question["human_input"])))
        return facts
    if question["ui_schema"] is not None:
        facts.append(("form", json.dumps(question["ui_schema"], ensure_ascii=False)))
    where = ("--step", question["step_id"], "--input", "JSON")
    return [*facts, ("answer it", command_line("resume", question["execution_id"], *where))]


def _state(question: Mapping[str, Any]) -> str:
    return "" if question["status"] == "pending" else f" [dim]({question['status']})[/]"


def _moment(text: str | None) -> str:
    return "-" if text is None else short_moment(datetime.fromisoformat(text), datetime.now(UTC))
