"""`steplog rebuild`: the rows made again from the log and put in place while all goes on."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from steplog.cli.console import out, print_json
from steplog.cli.history_report import print_report, report_json
from steplog.cli.options import AsJson, DataDir
from steplog.cli.rebuild_display import RebuildDisplay
from steplog.cli.rewriting import rebuild_order
from tracker_service.rebuild.course import Rebuild, drop_old
from tracker_service.rebuild.order import DEFAULT_MAX_PAUSE_S, RebuildOrder, Report

_GIB = 1024**3


def rebuild(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build and compare; change nothing.")
    ] = False,
    into: Annotated[
        str | None,
        typer.Option("--into", help="Build into this schema and leave it there; change nothing."),
    ] = None,
    remove_old: Annotated[
        bool, typer.Option("--drop-old", help="Only drop the tables earlier rebuilds replaced.")
    ] = False,
    set_aside: Annotated[
        bool,
        typer.Option("--set-aside", help="Set aside what can't be applied instead of stopping."),
    ] = False,
    max_pause_s: Annotated[
        float,
        typer.Option("--max-pause", min=0.05, max=600, help="Seconds the live tracker may wait."),
    ] = DEFAULT_MAX_PAUSE_S,
    max_disk_gib: Annotated[
        float | None, typer.Option("--max-disk", min=0, help="GiB the new tables may take.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, max=64, help="Partitions built at once.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Make all rows again from the log, compare them, and swap them in while all goes on."""
    if remove_old:
        _drop_old(data_dir, as_json=as_json)
        return
    order = rebuild_order(
        data_dir,
        into=into,
        swaps=not dry_run,
        lenient=set_aside,
        max_pause_s=max_pause_s,
        max_disk_bytes=None if max_disk_gib is None else int(max_disk_gib * _GIB),
        processes=processes,
    )
    report = watched(order, as_json=as_json)
    if as_json:
        print_json(report_json(report))
    else:
        print_report(report)


def watched(order: RebuildOrder, *, as_json: bool) -> Report:
    """Run a rebuild with its progress shown, and return what came of it."""
    with RebuildDisplay(quiet=as_json) as display:
        return asyncio.run(Rebuild(order, display).run())


def _drop_old(data_dir: Path | None, *, as_json: bool) -> None:
    order = rebuild_order(data_dir)
    names = asyncio.run(drop_old(order.database_url))
    if as_json:
        print_json({"dropped": names})
    else:
        out.print(f"Dropped: {', '.join(names)}." if names else "There are no replaced tables.")
