"""`steplog export`: recorded events into an archive."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from steplog.archive.exporter import export_one, export_window
from steplog.archive.files import Format, format_of, writer_for
from steplog.archive.format import Closing, Opening
from steplog.archive.selection import Wanted
from steplog.cli.connect.sources import open_log, open_read
from steplog.cli.inputs.options import DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.inputs.times import moment_before_now
from steplog.cli.views.archive_progress import archive_progress
from steplog.cli.views.console import err, out
from steplog.errors import BadInput, NotAnswered, ServiceUnreachable
from steplog.settings import SteplogSettings
from steplog_contracts.envelope import format_time
from tracker_service.log.events_log import LogBounds
from tracker_service.log.execution_records import Stretch, searched, stretch_of

# Whoever exports one execution waits for it, however long its partition is.
_UNBOUNDED = 2**62


def export(
    execution_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="One execution.", show_default=False)
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Executions that began since then.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only those that began before then.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All executions.")] = False,
    to: Annotated[
        Path | None, typer.Option("--out", help="The file; default: standard output.")
    ] = None,
    kind: Annotated[
        Format | None, typer.Option("--format", help="Default: as the file's name says.")
    ] = None,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Write recorded events to an archive that `steplog import` can fill a cluster from.

    $ steplog export ID --out one.jsonl
    $ steplog export --since 7d --out week.parquet
    """
    wanted = _wanted(execution_id, since, until, everything=everything)
    kind = format_of(kind, to)
    settings = settings_with(data_dir, embedded=embedded, data=data)
    closing = asyncio.run(_export(settings, execution_id, wanted, to, kind))
    _tell(closing, to)


def _wanted(
    execution_id: str | None, since: str | None, until: str | None, *, everything: bool
) -> Wanted:
    windowed = since is not None or until is not None
    if (execution_id is not None) + windowed + everything != 1:
        raise BadInput(
            "Say what to export: one execution's ID, or a time with --since and --until, or --all."
        )
    wanted = Wanted(
        None if since is None else moment_before_now(since),
        None if until is None else moment_before_now(until),
    )
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise BadInput("--since is not before --until; no execution began in between.")
    return wanted


async def _export(
    settings: SteplogSettings,
    execution_id: str | None,
    wanted: Wanted,
    to: Path | None,
    kind: Format,
) -> Closing:
    async with open_log(settings) as (log, topic):
        bounds = await log.bounds()
        stretch = None
        if execution_id is not None:
            stretch = await _stretch(execution_id, bounds, settings)
        writer = writer_for(kind, to, _opening(topic, bounds, execution_id, wanted))
        try:
            with archive_progress("Exporting") as progress:
                if execution_id is not None and stretch is not None:
                    closing = await export_one(log, execution_id, stretch, writer, progress)
                else:
                    closing = await export_window(log, wanted, writer, progress)
            if execution_id is not None and not closing.executions:
                only = ", only commands that were refused" if closing.total else ""
                raise BadInput(f"No event of {execution_id} is in the log{only}; check the id.")
            writer.close(closing)
        except BaseException:
            writer.abandon()
            raise
        return closing


async def _stretch(execution_id: str, bounds: LogBounds, settings: SteplogSettings) -> Stretch:
    """Return where the execution's events are, as the API knows, else its whole partition."""
    try:
        async with open_read(settings) as read:
            answer = await read.get(f"/api/executions/{quote(execution_id, safe='')}")
        stretch = stretch_of(_row(answer["execution"]), bounds)
        stretch.max_records = _UNBOUNDED
    except (NotAnswered, ServiceUnreachable):
        return searched(execution_id, bounds, _UNBOUNDED)
    return stretch


def _row(told: dict[str, Any]) -> dict[str, Any]:
    return {"completed_at": None, **told}


def _opening(topic: str, bounds: LogBounds, execution_id: str | None, wanted: Wanted) -> Opening:
    selection = {
        "execution_id": execution_id,
        "since": None if wanted.since is None else format_time(wanted.since),
        "until": None if wanted.until is None else format_time(wanted.until),
    }
    return Opening(topic, len(bounds.ends), selection, format_time(datetime.now(UTC)))


def _tell(closing: Closing, to: Path | None) -> None:
    # Without a file, standard output is the archive itself.
    console, where = (err, "") if to is None else (out, f" to {to}")
    console.print(f"{closing.total} events of {closing.executions} executions exported{where}.")
    if closing.stale:
        console.print(f"{closing.stale} left out: former owners appended them too late to count.")
    if closing.unfinished:
        console.print(
            f"[yellow]{closing.unfinished} of the executions had not ended; export them again "
            "once they have.[/]"
        )
