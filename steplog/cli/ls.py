"""`steplog ls`: the executions, newest first."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from contracts.records import ExecutionRecord, ExecutionStatus
from steplog.cli.console import (
    duration,
    out,
    plain_table,
    print_json,
    short_moment,
    styled_status,
)
from steplog.cli.execution_view import print_past
from steplog.cli.moments import AsOf, as_of_parameter
from steplog.cli.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.sources import open_read
from steplog.read_api import ExecutionPage
from steplog.settings import SteplogSettings

MAX_PAGE = 200


def ls(
    status: Annotated[
        ExecutionStatus | None, typer.Option(help="Only executions that stand so.")
    ] = None,
    pipeline: Annotated[str | None, typer.Option(help="Only executions of this pipeline.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=MAX_PAGE)] = 20,
    cursor: Annotated[
        str | None, typer.Option(help="Where to go on, from the end of a page.")
    ] = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """List executions, newest first; with --as-of as they stood then."""
    settings = settings_with(data_dir, embedded=embedded, data=data)
    filters = {
        "status": status,
        "pipeline_id": pipeline,
        "limit": limit,
        "cursor": cursor,
        "as_of": as_of_parameter(as_of),
    }
    page = asyncio.run(_read(settings, filters))
    if as_json:
        print_json(dict(page.answer))
        return
    print_past(page.answer)
    if not page.items and as_of is None:
        out.print("No executions. Start one with [bold]steplog run FILE[/].")
        return
    out.print(_table(page))
    if page.next_cursor is not None:
        out.print(f"[dim]More: --cursor {page.next_cursor}[/]", soft_wrap=True)


async def _read(settings: SteplogSettings, filters: dict[str, str | int | None]) -> ExecutionPage:
    async with open_read(settings) as read:
        return await read.executions(**filters)


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
        f"{execution.completed_steps}/{execution.total_steps}",
    )
