"""`steplog lag`: how far the rows are behind the log."""

import asyncio
from collections.abc import Mapping
from typing import Any

import typer

from steplog.addresses import api_url
from steplog.cli.console import out, plain_table, print_json
from steplog.cli.options import AsJson, DataDir, settings_with
from steplog.read_api import ReadApi

EXIT_AWAY = 1


def lag(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show the tracker's gap (events) and lag (seconds); exits with 1 if no worker is at it."""
    freshness = asyncio.run(_read(api_url(settings_with(data_dir))))
    if as_json:
        print_json(freshness)
    else:
        _print(freshness)
    if freshness["tracker"] == "away":
        raise typer.Exit(EXIT_AWAY)


async def _read(url: str) -> dict[str, Any]:
    read = ReadApi(url)
    try:
        answer = await read.get("/readyz")
    finally:
        await read.close()
    return {"tracker": answer["tracker"], **answer["freshness"]}


def _print(freshness: Mapping[str, Any]) -> None:
    style = {"fresh": "green", "behind": "yellow"}.get(freshness["tracker"], "red")
    out.print(
        f"tracker [{style}]{freshness['tracker']}[/], "
        f"{freshness['gap']} events behind, {freshness['lag_s']:.1f} s"
    )
    table = plain_table("partition", "applied up to")
    for partition, next_offset in freshness["positions"].items():
        table.add_row(partition, str(next_offset))
    out.print(table)
