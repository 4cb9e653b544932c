"""`steplog ls`: the executions, newest first."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from steplog.cli.connect.sources import open_read
from steplog.cli.inputs import filters
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.inputs.times import AsOf, time_parameter
from steplog.cli.views.console import (
    duration,
    out,
    plain_table,
    print_json,
    short_moment,
    styled_status,
)
from steplog.cli.views.execution import print_past
from steplog.client.read_api import ExecutionPage, Parameter
from steplog.settings import SteplogSettings
from steplog_contracts.records import ExecutionRecord

MAX_PAGE: Final = 200


class Sorting(StrEnum):
    """What a list is sorted by."""

    STARTED = "started"
    ENDED = "ended"
    DURATION = "duration"


_SORT: Final = {
    Sorting.STARTED: None,
    Sorting.ENDED: "completed_at",
    Sorting.DURATION: "duration",
}


def ls(
    statuses: filters.Statuses = None,
    pipeline: filters.OfPipeline = None,
    since: filters.BegunSince = None,
    until: filters.BegunUntil = None,
    error: filters.WithError = None,
    metadata: filters.WithMetadata = None,
    min_duration: filters.MinDuration = None,
    max_duration: filters.MaxDuration = None,
    waiting: filters.Waiting = False,
    as_of: AsOf = None,
    sort: Annotated[
        Sorting, typer.Option(help="By ended or duration only what has ended is listed.")
    ] = Sorting.STARTED,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="The oldest, or shortest, first.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=MAX_PAGE, help="At most so many.")
    ] = 20,
    cursor: Annotated[
        str | None, typer.Option(help="Where to go on, from the end of a page.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """List executions, newest first; with --as-of as they stood then.

    $ steplog ls --status failed --since 2h
    $ steplog ls --pipeline weather --metadata city=Oslo --sort duration
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    wanted = filters.asked_for(
        statuses=statuses, pipeline=pipeline, since=since, until=until, error=error,
        metadata=metadata, min_duration=min_duration, max_duration=max_duration, waiting=waiting,
    )  # fmt: skip
    paged: dict[str, Parameter] = {
        "sort": _SORT[sort],
        "order": "asc" if reverse else None,
        "limit": limit,
        "cursor": cursor,
        "as_of": time_parameter(as_of),
        # Tables show no values, and some are large.
        "brief": None if as_json or as_of is not None else "true",
    }
    page, counts = asyncio.run(_read(settings, wanted, paged))
    if as_json:
        print_json({**page.answer, "counts": counts})
    else:
        _print(page, counts, narrowed=any(value is not None for value in wanted.values()))


async def _read(
    settings: SteplogSettings, wanted: dict[str, Parameter], paged: dict[str, Parameter]
) -> tuple[ExecutionPage, Mapping[str, Any] | None]:
    as_of = paged["as_of"]
    async with open_read(settings) as read:
        page = await read.executions(**wanted, **paged)
        if as_of is not None and any(value is not None for value in wanted.values()):
            return page, None  # Of the past, everything is counted or nothing.
        return page, await read.get("/api/counts", **wanted, as_of=as_of)


def _print(page: ExecutionPage, counts: Mapping[str, Any] | None, *, narrowed: bool) -> None:
    print_past(page.answer)
    if page.items:
        out.print(_table(page))
    elif narrowed:
        out.print("No such executions.")
    elif "past" not in page.answer:
        out.print("No executions. Start one with [bold]steplog run FILE[/].")
        return
    if counts is not None and page.items:
        out.print(f"[dim]{_counted(counts)}[/]", soft_wrap=True)
    if page.next_cursor is not None:
        out.print(f"[dim]More: --cursor {page.next_cursor}[/]", soft_wrap=True)


def _counted(answer: Mapping[str, Any]) -> str:
    at_least = answer.get("at_least", ())
    parts = [
        f"{name.replace('_', ' ')} {'at least ' if name in at_least else ''}{count:,}"
        for name, count in answer["counts"].items()
        if count
    ]
    total = answer.get("total", sum(answer["counts"].values()))
    return f"{total:,}{' or more' if at_least else ''} in all: {', '.join(parts)}"


def _table(page: ExecutionPage) -> Table:
    table = plain_table("execution", "pipeline", "status", "started")
    table.add_column("took", justify="right")
    table.add_column("steps", justify="right")
    for execution in page.items:
        table.add_row(*_row(execution))
    return table


def _row(execution: ExecutionRecord) -> tuple[str, ...]:
    return (
        escape(execution.execution_id),
        escape(execution.pipeline_id),
        styled_status(execution.status),
        short_moment(execution.started_at, datetime.now(UTC)),
        duration(execution.execution_time_ms),
        f"{execution.completed_steps}/{execution.steps_to_complete}",
    )
