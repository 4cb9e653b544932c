"""`steplog diff-projection`: what the installed code would make of the recorded past."""

import typer

from steplog.cli.connect.rebuild_request import MaxDisk, Processes, bytes_of, rebuild_order
from steplog.cli.inputs.options import AsJson, DataDir
from steplog.cli.views.console import out, print_json
from steplog.cli.views.rebuild_progress import watched
from steplog.cli.views.rebuild_report import print_differences, report_json
from tracker_service.rebuild.request import Report
from tracker_service.store.migrations import PROJECTION_VERSION

EXIT_WOULD_CHANGE = 1


def diff_projection(
    max_disk_gib: MaxDisk = None,
    processes: Processes = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Fold the whole log with the code installed here and report which live rows would change.

    Run it with the new version before that is deployed; nothing is changed. Exits with 1 if any row
    would.

    $ steplog diff-projection
    """
    order = rebuild_order(
        data_dir,
        swaps=False,
        # What the new code can't apply is a difference as well, and no reason to stop.
        lenient=True,
        max_disk_bytes=bytes_of(max_disk_gib),
        processes=processes,
    )
    report = watched(order, as_json=as_json)
    if as_json:
        print_json({"projection_version": PROJECTION_VERSION, **report_json(report)})
    else:
        _print(report)
    if report.tally.total or report.new_letters:
        raise typer.Exit(EXIT_WOULD_CHANGE)


def _print(report: Report) -> None:
    out.print(
        f"Live rows: projection version {report.live_projection}; installed code: version "
        f"{PROJECTION_VERSION}. {report.events:,} events folded."
    )
    if report.new_letters:
        out.print(
            f"[yellow]{report.new_letters:,}[/] events would be set aside that are applied now."
        )
    if report.tally.total:
        out.print("If the installed code made the rows, these would change (live, then new):")
        print_differences(report.tally, report.examples)
    else:
        out.print("[green]No row would change.[/]")
