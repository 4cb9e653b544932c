"""`steplog move`: from embedded mode to Kafka."""

import asyncio
from dataclasses import replace
from typing import Annotated

import typer

from steplog.cli.connect.sources import refuse_missing
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, ReplicationFactor, settings_with
from steplog.cli.views.archive_progress import archive_progress
from steplog.cli.views.console import out, print_json
from steplog.client.addresses import Addresses, find_addresses
from steplog.settings import SteplogSettings
from steplog_contracts.topics import topics_for


def move(
    into_namespace: Annotated[
        str | None,
        typer.Option(
            "--into-namespace", metavar="NAME", help="Topics to fill; default: those of the stack."
        ),
    ] = None,
    replication_factor: ReplicationFactor = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    data: DataFile = None,
) -> None:
    """Move a file of embedded mode into empty topics of Kafka; what had not ended goes on there.

    $ steplog move --data steplog.db --into-namespace production
    """
    # What only embedded mode needs is loaded only here.
    from steplog.embedded import move_to_kafka  # noqa: PLC0415

    settings = settings_with(data_dir, embedded=True, data=data)
    assert settings.data_file is not None
    refuse_missing(settings.data_file)
    addresses = _addresses(settings, into_namespace)

    async def copied() -> move_to_kafka.Moved:
        assert settings.data_file is not None
        with archive_progress("Moving") as progress:
            return await move_to_kafka.move(
                settings.data_file, addresses, progress, replication_factor
            )

    moved = asyncio.run(copied())
    if as_json:
        print_json(
            {
                "namespace": addresses.topics.events.name.removesuffix(".events"),
                "events": moved.events,
                "executions": moved.executions,
                "commands": moved.commands,
                "stored_values": moved.stored_values,
                "kept_as": str(moved.kept_as),
            }
        )
        return
    out.print(
        f"{moved.events} events of {moved.executions} executions and {moved.commands} waiting "
        f"commands moved; the file is kept as {moved.kept_as}.",
        soft_wrap=True,
    )
    out.print(
        "Start an executor and a tracker on that namespace: the tracker fills the rows (see "
        "steplog lag), the executor continues what had not ended."
    )


def _addresses(settings: SteplogSettings, into_namespace: str | None) -> Addresses:
    found = find_addresses(settings)
    if into_namespace is None:
        return found
    topics = topics_for(into_namespace, found.topics.events.partitions)
    return replace(found, topics=topics)
