"""A person's answer on a terminal: the question found, asked field by field, held to its form."""

import json
import sys
from collections.abc import Mapping
from typing import Any, Final

import typer
from rich.markup import escape

from executor_service.definitions.json_schemas import answer_problems
from steplog.cli.connect.sources import open_read
from steplog.cli.views.console import err, printable
from steplog.client.read_api import path_of
from steplog.errors import BadInput, CommandWasRefused, NotAnswered, ServiceUnreachable
from steplog.settings import SteplogSettings
from steplog_contracts.answer_form import answer_refusal
from steplog_contracts.payload import JsonValue
from tracker_service.web.forms import Field, fields

Question = Mapping[str, Any]
# A field that is answered wrongly so often is given up.
MAX_TRIES: Final = 10


async def open_question(
    settings: SteplogSettings, execution_id: str, step: str | None
) -> Question | None:
    """Return the one open question an answer is for, None where the API knows none (yet).

    Raises:
        BadInput: several steps wait and none is named.
    """
    try:
        async with open_read(settings) as read:
            answer = await read.get(path_of(execution_id, "waits"))
    except (NotAnswered, ServiceUnreachable):
        return None  # Whoever takes the command says what is wrong.
    pending = [one for one in answer["items"] if one["status"] == "pending"]
    meant = [one for one in pending if step is None or one["step_id"] == step]
    if len(meant) > 1:
        names = ", ".join(one["step_id"] for one in meant)
        raise BadInput(f"Several steps wait for a person; name one with --step: {names}.")
    return meant[0] if meant else None


def checked_answer(question: Question | None, answer: JsonValue) -> JsonValue:
    """Return an answer that fits its question.

    Raises:
        CommandWasRefused: it does not; the text has a reason for each field.
    """
    problems = () if question is None else answer_problems(question["ui_schema"], answer)
    if question is not None and problems:
        raise CommandWasRefused(answer_refusal(question["step_id"], problems))
    return answer


def asked_answer(question: Question | None, execution_id: str) -> JsonValue:
    """Return what the person at the terminal answers.

    Raises:
        BadInput: nobody is at a terminal, or nothing waits.
    """
    if question is None:
        raise BadInput(
            f"Nothing of {execution_id} waits for a person, as far as its rows tell; look with "
            f"`steplog show {execution_id}`, or give the answer with --input."
        )
    form = fields(question["ui_schema"])
    if not sys.stdin.isatty():
        names = "".join(f" {field.name} ({_taken(field)})," for field in form).rstrip(",")
        said = f"; step '{question['step_id']}' asks for{names}" if names else ""
        raise BadInput(f"Give the answer with --input JSON{said}.")
    err.print(f"[bold]{escape(question['prompt'] or question['step_id'])}[/]")
    if not form:
        return _tried(Field("", "Answer, as JSON", "json", required=True, help="", default=None))
    given = {field.name: _tried(field) for field in form}
    return {name: value for name, value in given.items() if value is not _NOTHING}


_NOTHING: Final = object()  # A field that may be left out, and was.


def _tried(field: Field) -> JsonValue:
    for _ in range(MAX_TRIES):
        text = typer.prompt(
            printable(_label(field)), default="", show_default=False, err=True
        ).strip()
        if not text and field.default is not None:
            return field.default
        if not text and not field.required:
            return _NOTHING
        try:
            return _value(field, text)
        except (ValueError, LookupError):
            err.print(f"This takes {_taken(field)}.")
    raise BadInput(f"{field.label} was not answered; give the answer with --input.")


def _label(field: Field) -> str:
    kept = "" if field.default is None else f" [{json.dumps(field.default, ensure_ascii=False)}]"
    optional = "" if field.required or kept else " (may be left empty)"
    return f"{field.label}, {_taken(field)}{optional}{kept}"


def _taken(field: Field) -> str:
    match field.kind:
        case "choice":
            return " or ".join(map(_shown, field.choices))
        case "boolean":
            return "yes or no"
        case "number" | "integer":
            return f"a number. {field.bounds}".strip(" .")
        case "json":
            return "JSON"
    return "text"


def _shown(choice: JsonValue) -> str:
    return choice if isinstance(choice, str) else json.dumps(choice, ensure_ascii=False)


def _value(field: Field, text: str) -> JsonValue:
    """Return a field's value; raise `ValueError` or `LookupError` for what is none."""
    if not text:
        raise ValueError(text)
    match field.kind:
        case "choice":
            return {_shown(one): one for one in field.choices}[text]
        case "boolean":
            return {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}[
                text.lower()
            ]
        case "number" | "integer" | "json":
            return json.loads(text)
    return text
