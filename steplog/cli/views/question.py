"""A question to a person, as the terminal shows it: with the form of its answer, or the answer."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape

from steplog.cli.views.console import out, short_json, short_moment
from steplog.cli.views.hints import command_line
from steplog_contracts.answer_form import assigned_to
from steplog_contracts.records import InteractionRecord


def checked(question: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the question; raises pydantic's `ValidationError` if it is none."""
    InteractionRecord.model_validate(question)
    return question


def print_question(question: Mapping[str, Any]) -> None:
    """Print a question with the form of its answer, or with its answer."""
    checked(question)
    out.print(f"[bold]{escape(question['step_id'])}[/]  {escape(question['prompt'] or '')}")
    for name, value in _facts(question):
        out.print(f"  [dim]{name}[/]  {escape(value)}", soft_wrap=True)


def _facts(question: Mapping[str, Any]) -> list[tuple[str, str]]:
    asked = f"{moment(question['created_at'])}, until {moment(question['expires_at'])}"
    facts = [("asked", asked)]
    names = assigned_to(question.get("assigned_users"))
    if names:
        facts.append(("of", ", ".join(names)))
    if question["status"] != "pending":
        facts.append((question["status"], moment(question["completed_at"])))
        facts.append(("answer", short_json(question["human_input"])))
        return facts
    if question["ui_schema"] is not None:
        facts.append(("form", json.dumps(question["ui_schema"], ensure_ascii=False)))
    where = ("--step", question["step_id"], "--input", "JSON")
    return [*facts, ("answer it", command_line("resume", question["execution_id"], *where))]


def state(question: Mapping[str, Any]) -> str:
    """Return what is added behind a question that waits no more, as markup."""
    return "" if question["status"] == "pending" else f" [dim]({question['status']})[/]"


def moment(text: str | None) -> str:
    """Return a time as it is shown, `-` for none."""
    return "-" if text is None else short_moment(datetime.fromisoformat(text), datetime.now(UTC))
