"""`steplog commands skip`: a command that executors refuse instead of taking it."""

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.commands.deliveries import skip_note
from steplog.cli.connect.embedded_process import prepare
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import out, print_json
from steplog.client.addresses import find_addresses
from steplog.errors import BadInput
from steplog.settings import SteplogSettings
from steplog_contracts.envelope import Record
from steplog_kafka.producer import LastingProducer
from steplog_kafka.settings import kafka_settings


def skip(
    offset: Annotated[
        int,
        typer.Option(min=0, help="The command's offset in its partition of the commands topic."),
    ],
    partition: Annotated[int, typer.Option(min=0, help="The partition.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be changed.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Have a command refused instead of taken, such as one that ends every executor.

    All executors must be down: the next one to take the partition over refuses the command as
    `command_skipped`, and carries out those behind it. The executors' log names the offset.

    $ steplog commands skip --partition 3 --offset 1287 --dry-run
    $ steplog commands skip --offset 17 --embedded
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    if not dry_run:
        note = skip_note(offset, str(uuid.uuid4()), datetime.now(UTC))
        asyncio.run(_append(settings, partition, note))
    if as_json:
        print_json({"partition": partition, "offset": offset, "changed": not dry_run})
        return
    out.print(f"Partition {partition}: the command at offset {offset} is skipped.")
    out.print("Nothing has been changed." if dry_run else "Start the executors now.")


async def _append(settings: SteplogSettings, partition: int, note: Record) -> None:
    if settings.data_file is not None:
        await _append_to_file(settings.data_file, partition, note)
        return
    addresses = find_addresses(settings)
    topic = addresses.topics.seen
    if partition >= topic.partitions:
        raise BadInput(f"There is no partition {partition}; the topic has {topic.partitions}.")
    kafka = kafka_settings(addresses.kafka_bootstrap_servers)
    producer = LastingProducer(kafka)
    try:
        await producer.put(topic.name, note, partition)
    finally:
        await producer.stop()


async def _append_to_file(file: Path, partition: int, note: Record) -> None:
    if partition != 0:
        raise BadInput("A file has one partition; leave --partition out.")
    prepare(file)
    async with EmbeddedFile(file) as opened:
        await opened.append("seen", [note])
