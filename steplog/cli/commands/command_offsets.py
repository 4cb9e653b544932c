"""`steplog commands reset`: where executors go on in a commands topic that lost records."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from executor_service.adapters.kafka.command_offsets import CommandOffset, CommandOffsets
from steplog.cli.inputs.options import AsJson, DataDir, settings_with
from steplog.cli.views.console import out, plain_table, print_json
from steplog.client.addresses import find_addresses


class Beginning(StrEnum):
    """Where to go on."""

    BEGINNING = "beginning"
    END = "end"


def reset(
    to: Annotated[
        Beginning,
        typer.Option(
            help="beginning: all commands there are come again, and repeats within the dedupe "
            "window are refused; end: what is there now is passed over."
        ),
    ],
    partition: Annotated[
        list[int] | None,
        typer.Option("--partition", help="Only these; default: those that lost commands."),
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="The executors' group, if it is not the default.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be changed.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Say where executors go on in partitions whose commands were lost; all executors must be down.

    $ steplog commands reset --to beginning --dry-run
    $ steplog commands reset --to beginning
    """
    addresses = find_addresses(settings_with(data_dir))
    topics = addresses.topics
    offsets = CommandOffsets(
        addresses.kafka_bootstrap_servers,
        topic=topics.commands.name,
        group_id=group or f"{topics.commands.name.removesuffix('.commands')}.executor",
    )
    found = asyncio.run(offsets.look(partition or range(topics.commands.partitions)))
    chosen = found if partition else [one for one in found if one.loss is not None]
    targets = {one.partition: one.begin if to is Beginning.BEGINNING else one.end for one in chosen}
    if targets and not dry_run:
        asyncio.run(offsets.reset(targets))
    _tell(chosen, targets, as_json=as_json, changed=not dry_run)


def _tell(
    chosen: list[CommandOffset], targets: dict[int, int], *, as_json: bool, changed: bool
) -> None:
    if as_json:
        print_json(
            [
                {
                    "partition": one.partition,
                    "committed": one.committed,
                    "goes_on_at": targets[one.partition],
                    "loss": one.loss,
                    "changed": changed,
                }
                for one in chosen
            ]
        )
        return
    if not chosen:
        out.print("No partition lost commands; nothing has been changed.")
        return
    table = plain_table("partition", "committed", "goes on at", "why")
    for one in chosen:
        place = (str(one.partition), str(one.committed), str(targets[one.partition]))
        table.add_row(*place, one.loss or "asked for")
    out.print(table)
    out.print("Start the executors now." if changed else "Nothing has been changed.")
