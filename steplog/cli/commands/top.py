"""`steplog top`: the whole fleet on one screen, again and again."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from steplog.cli.connect.sources import open_read
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import (
    duration,
    out,
    plain_table,
    print_json,
    short_moment,
    styled_status,
)
from steplog.client.read_api import ReadApi
from steplog.settings import SteplogSettings
from steplog_contracts.records import ExecutionRecord

SHOWN_EXECUTIONS = 20


def top(
    every_s: Annotated[
        float, typer.Option("--every", min=0.2, max=60, help="Seconds between two looks.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and leave.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Show what runs, how much of it, and how far the read model is behind; Ctrl-C leaves.

    $ steplog top
    $ steplog top --once --json
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    asyncio.run(_show(settings, every_s, once=once or as_json, as_json=as_json))


async def _show(settings: SteplogSettings, every_s: float, *, once: bool, as_json: bool) -> None:
    rate = EventRate()
    async with open_read(settings) as read:
        if once:
            answer = await _look(read)
            print_json(answer) if as_json else out.print(screen(answer, None))
            return
        with Live(console=out, auto_refresh=False, screen=out.is_terminal) as display:
            while True:
                answer = await _look(read)
                display.update(screen(answer, rate.after(answer["freshness"])), refresh=True)
                await asyncio.sleep(every_s)


async def _look(read: ReadApi) -> dict[str, Any]:
    counts = await read.get("/api/counts")
    page = await read.get("/api/executions", limit=SHOWN_EXECUTIONS)
    return {
        "counts": counts["counts"],
        "executions": page["items"],
        "freshness": page["freshness"],
    }


class EventRate:
    """Events applied a second, from one look to the next."""

    def __init__(self) -> None:
        self._before: tuple[float, int] | None = None

    def after(self, freshness: Mapping[str, Any], now_s: float | None = None) -> float | None:
        """Return the rate since the last look, or None at the first."""
        now = time.monotonic() if now_s is None else now_s
        applied: int = sum(freshness["positions"].values())
        before, self._before = self._before, (now, applied)
        if before is None or now <= before[0]:
            return None
        return (applied - before[1]) / (now - before[0])


def screen(answer: Mapping[str, Any], events_per_s: float | None) -> RenderableType:
    """Return everything as one page."""
    freshness, counts = answer["freshness"], answer["counts"]
    rate = "" if events_per_s is None else f"  {events_per_s:,.0f} events/s"
    behind = f"{freshness['gap']} events behind, {freshness['lag_s']:.1f} s"
    head = f"[bold]steplog[/]  tracker {freshness['tracker']}  {behind}{rate}"
    shown = "  ".join(f"{styled_status(name)} {count}" for name, count in counts.items() if count)
    return Group(head, shown or "[dim]no executions[/]", "", _table(answer))


def _table(answer: Mapping[str, Any]) -> Table:
    table = plain_table("execution", "pipeline", "status", "at step", "started", "took", "steps")
    now = datetime.now(UTC)
    for item in answer["executions"]:
        one = ExecutionRecord.model_validate(item)
        table.add_row(
            escape(one.execution_id), escape(one.pipeline_id), styled_status(one.status),
            escape(one.current_step or ""), short_moment(one.started_at, now),
            duration(one.execution_time_ms), f"{one.completed_steps}/{one.steps_to_complete}",
        )  # fmt: skip
    return table
