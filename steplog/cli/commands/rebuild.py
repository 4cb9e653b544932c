"""`steplog rebuild`: the rows made again from the log and put in place while all goes on."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from steplog.cli.connect.rebuild_request import (
    MaxDisk,
    MaxPause,
    Processes,
    bytes_of,
    rebuild_order,
)
from steplog.cli.connect.sources import refuse_missing
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.inputs.times import moment_before_now
from steplog.cli.views.archive_progress import archive_progress
from steplog.cli.views.console import out, print_json
from steplog.cli.views.rebuild_progress import watched
from steplog.cli.views.rebuild_report import checked_json, print_checked, print_report, report_json
from steplog.errors import BadInput
from tracker_service.rebuild.lost_log import skip_removed
from tracker_service.rebuild.rebuild import drop_old
from tracker_service.rebuild.request import DEFAULT_MAX_PAUSE_S, RebuildRequest
from tracker_service.rebuild.sample_check import verify_executions

DryRun = Annotated[bool, typer.Option("--dry-run", help="Build and compare; change nothing.")]
Execution = Annotated[
    list[str] | None,
    typer.Option("--execution", help="Only this execution; may be given again."),
]
Since = Annotated[
    str | None, typer.Option("--since", help="Only what began then or later: a time, or 2h.")
]
Until = Annotated[
    str | None, typer.Option("--until", help="Only what began before: a time, or 2h.")
]
Into = Annotated[
    str | None,
    typer.Option("--into", help="Build into this schema and leave it there; change nothing."),
]
DropOld = Annotated[
    bool, typer.Option("--drop-old", help="Only drop the tables earlier rebuilds replaced.")
]
DropLost = Annotated[
    int | None,
    typer.Option(
        "--drop-lost",
        min=0,
        help="Let so many executions vanish of which a log that lost records has no event left.",
    ),
]
SkipRemoved = Annotated[
    bool,
    typer.Option(
        "--skip-removed",
        help="Only let the tracker pass over records that were removed before it applied them.",
    ),
]
SetAside = Annotated[
    bool,
    typer.Option("--set-aside", help="Set aside what can't be applied instead of stopping."),
]


def rebuild(
    dry_run: DryRun = False,
    execution: Execution = None,
    since: Since = None,
    until: Until = None,
    into: Into = None,
    remove_old: DropOld = False,
    set_aside: SetAside = False,
    drop_lost: DropLost = None,
    skip: SkipRemoved = False,
    max_pause_s: MaxPause = DEFAULT_MAX_PAUSE_S,
    max_disk_gib: MaxDisk = None,
    processes: Processes = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Make all rows again from the log, compare them, and swap them in while all goes on.

    The rows of an embedded file are made again in place, while nothing else has the file open.

    $ steplog rebuild --dry-run
    $ steplog rebuild --execution ID
    """
    windowed = since is not None or until is not None
    file = settings_with(data_dir, embedded=embedded, data=data).data_file
    if file is not None:
        if into is not None or execution or windowed or remove_old or dry_run or skip:
            raise BadInput("Of an embedded file all rows are made again; give no other option.")
        _rebuild_file(file, as_json=as_json)
        return
    _check_together(into is not None, bool(execution), windowed, remove_old, skip)
    order = rebuild_order(
        data_dir,
        into=into,
        swaps=not (dry_run or windowed),
        repairs=windowed and not dry_run,
        since=None if since is None else moment_before_now(since),
        until=None if until is None else moment_before_now(until),
        lenient=set_aside,
        drop_lost=drop_lost,
        max_pause_s=max_pause_s,
        max_disk_bytes=bytes_of(max_disk_gib),
        processes=processes,
    )
    if remove_old:
        _drop_old(order, as_json=as_json)
    elif skip:
        _skip_removed(order, as_json=as_json)
    elif execution:
        _executions(order, execution, repair=not dry_run, as_json=as_json)
    else:
        report = watched(order, as_json=as_json)
        if as_json:
            print_json(report_json(report))
        else:
            print_report(report)


def _rebuild_file(file: Path, *, as_json: bool) -> None:
    from steplog.embedded.rebuild import rebuild_rows  # noqa: PLC0415 - slow to import

    refuse_missing(file)
    with archive_progress("Rebuilding") as progress:
        events = asyncio.run(rebuild_rows(file, progress))
    if as_json:
        print_json({"events": events})
    else:
        out.print(f"The rows are made again from {events} events.")


def _check_together(*given: bool) -> None:
    if sum(given) > 1:
        raise BadInput(
            "Of --into, --execution, --since or --until, --drop-old and --skip-removed only one "
            "can be given at a time."
        )


def _executions(order: RebuildRequest, names: list[str], *, repair: bool, as_json: bool) -> None:
    checked = asyncio.run(verify_executions(order, names, repair=repair))
    if as_json:
        print_json(checked_json(checked))
    else:
        print_checked(checked)


def _skip_removed(order: RebuildRequest, *, as_json: bool) -> None:
    begins = asyncio.run(skip_removed(order))
    if as_json:
        print_json({"begins": begins})
    elif not begins:
        out.print("No position lies before the log's beginning; nothing has been changed.")
    for partition, begin in () if as_json else sorted(begins.items()):
        out.print(f"Partition {partition} goes on from offset {begin}.")


def _drop_old(order: RebuildRequest, *, as_json: bool) -> None:
    names = asyncio.run(drop_old(order.database_url))
    if as_json:
        print_json({"dropped": names})
    else:
        out.print(f"Dropped: {', '.join(names)}." if names else "There are no replaced tables.")
