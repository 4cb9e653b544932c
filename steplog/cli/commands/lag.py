"""`steplog lag`: how far the rows are behind the log."""

import asyncio
from collections.abc import Mapping
from typing import Any

import typer

from steplog.cli.connect.sources import idle_file, open_read
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import out, plain_table, print_json
from steplog.settings import SteplogSettings

EXIT_AWAY = 1
# No worker looks at the log, or it lost records: the rows get no fresher by waiting.
_STUCK = ("away", "log_lost_records")


def lag(
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Show the tracker's gap (events) and lag (seconds); exits with 1 if no worker is at it, no
    process has the file open (--embedded), or the log lost records.

    $ steplog lag
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    idle = idle_file(settings)
    freshness = asyncio.run(_read(settings))
    if idle is not None:
        # The rows are as fresh as the log, which this very command saw to; but nothing goes on.
        freshness["tracker"] = "away"
    if as_json:
        print_json(freshness)
    else:
        _print(freshness)
        if idle is not None:
            out.print(idle, style="red", markup=False, soft_wrap=True)
    if freshness["tracker"] in _STUCK:
        raise typer.Exit(EXIT_AWAY)


async def _read(settings: SteplogSettings) -> dict[str, Any]:
    async with open_read(settings) as read:
        answer = await read.get("/api/freshness")
    return {**answer["freshness"], "partitions": answer["partitions"]}


def _print(freshness: Mapping[str, Any]) -> None:
    style = {"fresh": "green", "behind": "yellow"}.get(freshness["tracker"], "red")
    out.print(
        f"tracker [{style}]{freshness['tracker']}[/], "
        f"{freshness['gap']} events behind, {freshness['lag_s']:.1f} s"
    )
    if freshness.get("log_lost"):
        out.print(freshness["log_lost"], style="red", markup=False, soft_wrap=True)
    table = plain_table("partition", "applied up to", "events behind", "seconds")
    for one in freshness["partitions"]:
        table.add_row(
            str(one["partition"]), str(one["next_offset"]), str(one["gap"]), f"{one['lag_s']:.1f}"
        )
    out.print(table)
