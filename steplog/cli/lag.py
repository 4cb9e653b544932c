"""`steplog lag`: how far the rows are behind the log, by partition."""

import asyncio
from typing import Any

import typer
from rich.table import Table

from steplog.addresses import api_url
from steplog.cli.console import out, print_json
from steplog.cli.options import AsJson, DataDir, settings_with
from steplog.read_api import ReadApi

EXIT_BEHIND = 1


def lag(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show applied position, gap (events) and lag (seconds) of each partition.

    Exit code 1 if no tracker looks at the log.
    """
    answer = asyncio.run(_read(api_url(settings_with(data_dir))))
    freshness = answer["freshness"]
    if as_json:
        print_json(dict(answer))
    else:
        out.print(_table(answer["partitions"]))
        out.print(
            f"Tracker {freshness['tracker']}: {freshness['gap']} events, "
            f"{freshness['lag_s']:.3f} s behind."
        )
    if freshness["tracker"] == "away":
        raise typer.Exit(EXIT_BEHIND)


async def _read(url: str) -> dict[str, Any]:
    read = ReadApi(url)
    try:
        return dict(await read.get("/api/freshness"))
    finally:
        await read.close()


def _table(partitions: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("partition", "applied", "end", "gap", "lag s"):
        table.add_column(heading, justify="right")
    for one in partitions:
        table.add_row(
            str(one["partition"]),
            str(one["next_offset"]),
            str(one["end_offset"]),
            str(one["gap"]),
            f"{one['lag_s']:.3f}",
        )
    return table
