"""An execution as people read it: what it is, and its steps on a common time line."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from steplog.cli.views.console import (
    duration,
    moment,
    out,
    plain_table,
    short_json,
    styled_status,
)
from steplog.cli.views.hints import command_line
from steplog.cli.views.question import print_question
from steplog_contracts.records import ExecutionRecord, ExecutionStatus, StepRecord, StepStatus

TIMELINE_CHARS = 28
MAX_RELATIVES = 10
MAX_ATTEMPTS_SHOWN = 10


def print_execution(answer: Mapping[str, Any]) -> None:
    """Print an execution, its steps and how fresh that is."""
    execution = ExecutionRecord.model_validate(answer["execution"])
    steps = [StepRecord.model_validate(item) for item in answer["steps"]]
    out.print(f"[bold]{escape(execution.execution_id)}[/]  {styled_status(execution.status)}")
    out.print(_facts(execution, answer.get("relatives", {})), soft_wrap=True)
    _print_stored(execution)
    print_past(answer)
    out.print()
    out.print(_steps(steps))
    _print_attempts(answer.get("attempts", ()))
    for question in answer.get("waits", ()):
        if question["status"] == "pending":
            out.print()
            print_question(question)
    _print_remedy(execution)
    if answer["freshness"]["gap"]:
        freshness = answer["freshness"]
        out.print(f"[yellow]{freshness['gap']} events behind, {freshness['lag_s']:.1f} s.[/]")


def print_past(answer: Mapping[str, Any]) -> None:
    """Print which moment an answer is about and what it can't know, if it is about the past."""
    past = answer.get("past")
    if past is None:
        return
    if past["as_of"] is not None:
        when = f"As of {past['as_of']}"
    else:
        when = f"After event {past['at_seq']}"
    out.print(f"[bold]{when}[/], told from the {past['told_from']}", soft_wrap=True)
    if past.get("settled") is False:
        out.print("[yellow]Not every event up to then is applied yet.[/]")
    if past["note"] is not None:
        out.print(f"[yellow]{escape(past['note'])}[/]", soft_wrap=True)


def print_tracebacks(answer: Mapping[str, Any]) -> None:
    """Print the recorded traceback of each failed visit, or that none has one."""
    steps = [StepRecord.model_validate(item) for item in answer["steps"]]
    recorded = [(step, traceback) for step in steps if (traceback := _traceback(step.error_info))]
    if not recorded:
        out.print("No step of it has a recorded traceback.")
    for step, traceback in recorded:
        out.print(f"[bold]{escape(step.failure or step.step_id)}[/]", soft_wrap=True)
        out.print(escape(traceback.rstrip()), soft_wrap=True)


def _traceback(error_info: Any) -> str | None:
    return error_info.get("traceback") if isinstance(error_info, dict) else None


def _print_remedy(execution: ExecutionRecord) -> None:
    if execution.status not in (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED):
        return
    name = execution.execution_id
    lines = [("continue it from there", command_line("retry", name))]
    if _traceback(execution.error_info):
        lines.append(("where it failed", command_line("show", name, "--traceback")))
    out.print()
    for what, command in lines:
        out.print(f"[dim]{what}:[/] {escape(command)}", soft_wrap=True)


def _print_stored(execution: ExecutionRecord) -> None:
    """Print how to have what is stored apart; on lines that a terminal does not cut."""
    for place, kept in (execution.references or {}).items():
        print_it = command_line("payload", execution.execution_id, kept.sha256)
        told = f"{place.lstrip('/')}, {kept.size_bytes:,} bytes: {print_it}"
        out.print(f"[dim]stored[/]    {escape(told)}", soft_wrap=True)


def _print_attempts(attempts: Sequence[Mapping[str, Any]]) -> None:
    for attempt in attempts[-MAX_ATTEMPTS_SHOWN:]:
        out.print(
            f"[yellow]{escape(attempt['step_id'])} try {attempt['attempt']}[/] failed and was "
            f"tried again: {escape(attempt['error_message'] or '')}",
            soft_wrap=True,
        )


def _related(relatives: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    origin, parent = relatives.get("origin"), relatives.get("parent")
    if origin is not None:
        step = relatives["fork_step"]
        where = f" at step {step}" if step else ""
        yield "from", f"{origin['execution_id']}, a {relatives['fork_kind'] or 'fork'}{where}"
    if parent is not None:
        yield "parent", parent["execution_id"]
    for kind in ("forks", "retries", "children"):
        others = relatives.get(kind, ())
        if others:
            shown = [f"{one['execution_id']} ({one['status']})" for one in others[:MAX_RELATIVES]]
            more = len(others) - len(shown)
            yield kind, ", ".join(shown) + (f" and {more} more" if more else "")


def _facts(execution: ExecutionRecord, relatives: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    took = duration(execution.execution_time_ms)
    rows = [
        ("pipeline", execution.pipeline_name or execution.pipeline_id),
        ("started", f"{moment(execution.started_at)}, took {took}"),
        ("steps", f"{execution.completed_steps} of {execution.steps_to_complete} completed"),
        ("input", short_json(execution.input_data)),
    ]
    if execution.output_data is not None:
        rows.append(("output", short_json(execution.output_data)))
    rows.extend(_related(relatives))
    if execution.failure is not None:
        rows.append(("error", execution.failure))
    for name, value in rows:
        style = "red" if name == "error" else ""
        table.add_row(f"[dim]{name}[/]", f"[{style}]{escape(value)}[/]" if style else escape(value))
    return table


def _steps(steps: Sequence[StepRecord]) -> Table:
    table = plain_table("step", "status")
    table.add_column("began", justify="right")
    table.add_column("took", justify="right")
    table.add_column("tries", justify="right")
    table.add_column("timeline")
    span = _Span(steps)
    for step in steps:
        visit = f" (visit {step.iteration})" if step.iteration > 1 else ""
        table.add_row(
            escape(f"{step.step_id}{visit}{_tally(step)}{_said(step)}"),
            styled_status(step.status),
            span.began(step),
            duration(step.execution_time_ms),
            str(step.attempt) if step.started_at is not None else "",
            span.bar(step),
        )
    return table


def _tally(step: StepRecord) -> str:
    """Say of a map how many of its items stand how: `[9,990 of 10,000, 10 failed]`."""
    if step.item_count is None:
        return ""
    counts = step.item_counts or {}
    done = counts.get(StepStatus.COMPLETED, 0)
    counted = [f"{count:,} {status}" for status, count in counts.items()]
    others = [f", {text}" for text in counted if not text.endswith(StepStatus.COMPLETED)]
    return f" [{done:,} of {step.item_count:,}{''.join(others)}]"


def _said(step: StepRecord) -> str:
    if step.last_heartbeat is None or step.completed_at is not None:
        return ""
    return f" {short_json(step.last_heartbeat)}"


class _Span:
    """The time all steps together took, to place each on it."""

    def __init__(self, steps: Sequence[StepRecord]) -> None:
        begun = [step.started_at for step in steps if step.started_at is not None]
        ended = [step.completed_at for step in steps if step.completed_at is not None]
        self._first = min(begun, default=None)
        last = max([*begun, *ended], default=None)
        self._total_s = 0.0
        if self._first is not None and last is not None:
            self._total_s = (last - self._first).total_seconds()

    def began(self, step: StepRecord) -> str:
        """Return how long after the first step this one began."""
        after_s = self._after(step)
        return "" if after_s is None else f"+{duration(after_s * 1000)}"

    def bar(self, step: StepRecord) -> str:
        """Return the step's share of the time line."""
        after_s = self._after(step)
        if after_s is None or self._total_s <= 0:
            return ""
        begin = min(int(after_s / self._total_s * TIMELINE_CHARS), TIMELINE_CHARS - 1)
        took_s = (step.execution_time_ms or 0.0) / 1000
        length = max(round(took_s / self._total_s * TIMELINE_CHARS), 1)
        return " " * begin + "━" * min(length, TIMELINE_CHARS - begin)

    def _after(self, step: StepRecord) -> float | None:
        if step.started_at is None or self._first is None:
            return None
        return (step.started_at - self._first).total_seconds()
