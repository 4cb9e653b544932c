"""`steplog stats`: rates, failures and durations over a window of time."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from steplog.cli.connect.sources import open_read
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.inputs.times import milliseconds, moment_before_now
from steplog.cli.views.console import duration, out, plain_table, print_json
from steplog.client.read_api import Parameter
from steplog.errors import BadInput
from steplog.settings import SteplogSettings

MAX_WINDOW_S: Final = 366 * 24 * 3600

Pipeline = Annotated[str | None, typer.Option(metavar="NAME", help="Only of this pipeline.")]
BySteps = Annotated[bool, typer.Option("--steps", help="By step instead of by pipeline.")]
OverWindow = Annotated[
    str, typer.Option("--window", metavar="DURATION", help="How much time: 30m, 24h, 7d.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Where it ends; default: now.")]
Every = Annotated[
    str | None, typer.Option(metavar="DURATION", help="A line for each so long: 1h, 1d.")
]


def stats(
    pipeline: Pipeline = None,
    steps: BySteps = False,
    window: OverWindow = "24h",
    until: Until = None,
    every: Every = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Show how many executions ended, failed and how long they took, by pipeline or step.

    $ steplog stats --window 7d
    $ steplog stats --pipeline weather --every 1h
    $ steplog stats --steps
    """
    if steps and every is not None:
        raise BadInput("--every divides the figures of pipelines; leave --steps out.")
    window_s = _seconds(window, "--window")
    asked: dict[str, Parameter] = {
        "pipeline_id": pipeline,
        "window_s": window_s,
        "until": None if until is None else moment_before_now(until).isoformat(),
        # One bucket for all of it: figures of several can't be put together.
        "bucket_s": MAX_WINDOW_S if every is None else _seconds(every, "--every"),
    }
    settings = settings_with(data_dir, embedded=embedded, data=data)
    answer = asyncio.run(_read(settings, "steps" if steps else "pipelines", asked))
    if as_json:
        print_json(answer)
    else:
        _print(answer, _by_step(answer) if steps else _by_pipeline(answer, window_s, every))


async def _read(
    settings: SteplogSettings, what: str, asked: Mapping[str, Parameter]
) -> Mapping[str, Any]:
    async with open_read(settings) as read:
        return await read.get(f"/api/statistics/{what}", **asked)


def _seconds(text: str, option: str) -> int:
    seconds = int(milliseconds(text) / 1000)
    if not 1 <= seconds <= MAX_WINDOW_S:
        raise BadInput(f"{option} {text} is out of range; give from 1s to 366d.")
    return seconds


def _print(answer: Mapping[str, Any], table: Table) -> None:
    if not answer["items"]:
        out.print("Nothing ended in this time; --window takes more of it, such as 7d.")
        return
    out.print(table)
    if not answer["complete"]:
        out.print(
            f"[yellow]Of the newest {answer['looked_at']:,} executions alone; take a shorter "
            "--window for all of one.[/]",
            soft_wrap=True,
        )


def _by_pipeline(answer: Mapping[str, Any], window_s: int, every: str | None) -> Table:
    # The one bucket of a window may be two, where a year of them ends.
    dated = every is not None or len({item["bucket"] for item in answer["items"]}) > 1
    table = _table(["pipeline", "from"] if dated else ["pipeline"],
                   ["ended", "per hour", "failed", "cancelled"])  # fmt: skip
    for item in answer["items"]:
        span_s = window_s if every is None else answer["bucket_s"]
        began = datetime.fromisoformat(item["bucket"]).astimezone()
        table.add_row(
            escape(item["pipeline_id"]), *([f"{began:%Y-%m-%d %H:%M}"] if dated else []),
            f"{item['ended']:,}", _rate(item["ended"] / span_s * 3600), _failed(item),
            f"{item['cancelled']:,}", *_durations(item),
        )  # fmt: skip
    return table


def _by_step(answer: Mapping[str, Any]) -> Table:
    table = _table(["pipeline", "step"], ["visits", "failed", "skipped", "retries"])
    for item in answer["items"]:
        table.add_row(
            escape(item["pipeline_id"]), escape(item["step_id"]), f"{item['visits']:,}",
            _failed(item), f"{item['skipped']:,}", f"{item['retries']:,}", *_durations(item),
        )  # fmt: skip
    return table


def _table(names: list[str], numbers: list[str]) -> Table:
    table = plain_table(*names)
    for heading in (*numbers, *_DURATIONS):
        table.add_column(heading, justify="right", no_wrap=True)
    return table


_DURATIONS: Final = ("p50", "p95", "p99")


def _durations(item: Mapping[str, Any]) -> list[str]:
    return [duration(item[f"{name}_ms"]) for name in _DURATIONS]


def _failed(item: Mapping[str, Any]) -> str:
    if not item["failed"]:
        return "0"
    return f"[red]{item['failed']:,} {item['failure_share']:.0%}[/]"


def _rate(per_hour: float) -> str:
    return f"{per_hour:,.0f}" if per_hour >= 100 else f"{per_hour:.3g}"
