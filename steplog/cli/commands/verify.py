"""`steplog verify`: hold the rows against the log, and put right what differs."""

import asyncio
from typing import Annotated

import typer

from steplog.cli.connect.rebuild_request import rebuild_order
from steplog.cli.inputs.options import AsJson, DataDir
from steplog.cli.views.console import print_json
from steplog.cli.views.rebuild_progress import watched
from steplog.cli.views.rebuild_report import checked_json, print_checked
from tracker_service.rebuild.request import RebuildRequest
from tracker_service.rebuild.row_check import Checked
from tracker_service.rebuild.sample_check import verify_sample

EXIT_DIFFERS = 1
DEFAULT_SAMPLE = 100
MAX_SAMPLE = 100_000


def verify(
    sample: Annotated[
        int, typer.Option("--sample", min=1, max=MAX_SAMPLE, help="Executions to check.")
    ] = DEFAULT_SAMPLE,
    everything: Annotated[
        bool, typer.Option("--all", help="Check every row, also for executions without one.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Write what the log says where a row differs.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Fold executions again from the log and compare their rows; exits with 1 if any differs.

    $ steplog verify --sample 1000
    $ steplog verify --all --repair
    """
    order = rebuild_order(data_dir, swaps=False, repairs=repair)
    if everything:
        checked = _all(order, as_json=as_json)
    else:
        checked = asyncio.run(verify_sample(order, sample, repair=repair))
    if as_json:
        print_json(checked_json(checked))
    else:
        print_checked(checked)
    if set(checked.differing) - set(checked.repaired) or (checked.tally.total and not repair):
        raise typer.Exit(EXIT_DIFFERS)


def _all(order: RebuildRequest, *, as_json: bool) -> Checked:
    report = watched(order, as_json=as_json)
    return Checked(
        report.executions,
        report.differing,
        report.repaired,
        tally=report.tally,
        examples=report.examples,
    )
