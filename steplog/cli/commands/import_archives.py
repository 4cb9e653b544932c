"""`steplog import`: archives into an empty cluster."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from steplog.archive.archive_set import check_together, windows_left_out
from steplog.archive.files import reader_for
from steplog.archive.format import ArchiveReader
from steplog.archive.importer import Imported, import_archives
from steplog.archive.kafka_target import KafkaImportTarget
from steplog.cli.inputs.options import AsJson, DataDir, ReplicationFactor, settings_with
from steplog.cli.views.archive_progress import archive_progress
from steplog.cli.views.console import err, out, print_json
from steplog.client.addresses import find_addresses
from steplog_contracts.topics import topics_for


def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Archives.")],
    into_namespace: Annotated[
        str | None,
        typer.Option(
            "--into-namespace", metavar="NAME", help="Topics to fill; default: those of the stack."
        ),
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(min=1, max=4096, help="Of the topics; default: as many as the archives have."),
    ] = None,
    replication_factor: ReplicationFactor = None,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Also histories that lack events.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Fill an empty cluster from archives; run again after an interruption, it goes on.

    $ steplog import week.parquet --into-namespace copy
    """
    archives = [reader_for(path) for path in files]
    archived = check_together(archives)
    addresses = find_addresses(settings_with(data_dir))
    namespace = into_namespace or addresses.topics.events.name.removesuffix(".events")
    topics = topics_for(namespace, partitions or archived)
    target = KafkaImportTarget(addresses.kafka_bootstrap_servers, topics, replication_factor)
    done = asyncio.run(_import(archives, target, topics.events.partitions, allow_gaps=allow_gaps))
    gaps = windows_left_out(archives)
    if as_json:
        told = {"namespace": namespace, "written": done.written, "executions": done.executions}
        print_json({**told, "there_before": done.there_before, "left_out": gaps})
        return
    _tell(done, namespace)
    for gap in gaps:
        err.print(f"[yellow]{gap}[/]")


async def _import(
    archives: list[ArchiveReader],
    target: KafkaImportTarget,
    partitions: int,
    *,
    allow_gaps: bool,
) -> Imported:
    async with target:
        with archive_progress("Importing") as progress:
            return await import_archives(
                archives, target, progress, partitions=partitions, allow_gaps=allow_gaps
            )


def _tell(done: Imported, namespace: str) -> None:
    before = f", {done.there_before} were there already" if done.there_before else ""
    out.print(
        f"{done.written} events of {done.executions} executions imported into {namespace}{before}."
    )
    out.print(
        "Start an executor and a tracker on that namespace: the tracker fills the rows (see "
        "steplog lag), the executor continues what had not ended."
    )
