"""`steplog rebuild`: the rows made again from the log and put in place while all goes on."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from steplog.cli.console import out, print_json
from steplog.cli.history_report import checked_json, print_checked, print_report, report_json
from steplog.cli.options import AsJson, DataDir
from steplog.cli.rebuild_display import RebuildDisplay
from steplog.cli.rewriting import rebuild_order
from steplog.cli.since import moment_before_now
from steplog.errors import BadInput
from tracker_service.rebuild.course import Rebuild, drop_old
from tracker_service.rebuild.order import DEFAULT_MAX_PAUSE_S, RebuildOrder, Report
from tracker_service.rebuild.verifying import verify_executions

_GIB = 1024**3


def rebuild(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build and compare; change nothing.")
    ] = False,
    into: Annotated[
        str | None,
        typer.Option("--into", help="Build into this schema and leave it there; change nothing."),
    ] = None,
    execution: Annotated[
        list[str] | None,
        typer.Option("--execution", help="Only this execution; may be given again."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Only what began then or later: a time, or 2h.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Only what began before: a time, or 2h.")
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
    windowed = since is not None or until is not None
    _check_together(into=into is not None, execution=bool(execution), window=windowed)
    order = rebuild_order(
        data_dir,
        into=into,
        swaps=not (dry_run or windowed),
        repairs=windowed and not dry_run,
        since=None if since is None else moment_before_now(since),
        until=None if until is None else moment_before_now(until),
        lenient=set_aside,
        max_pause_s=max_pause_s,
        max_disk_bytes=None if max_disk_gib is None else int(max_disk_gib * _GIB),
        processes=processes,
    )
    if execution:
        _executions(order, execution, repair=not dry_run, as_json=as_json)
        return
    report = watched(order, as_json=as_json)
    if as_json:
        print_json(report_json(report))
    else:
        print_report(report)


def _check_together(*, into: bool, execution: bool, window: bool) -> None:
    if into + execution + window > 1:
        raise BadInput(
            "Of --into, --execution and --since or --until only one can be given at a time."
        )


def _executions(order: RebuildOrder, names: list[str], *, repair: bool, as_json: bool) -> None:
    checked = asyncio.run(verify_executions(order, names, repair=repair))
    if as_json:
        print_json(checked_json(checked))
    else:
        print_checked(checked)


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
