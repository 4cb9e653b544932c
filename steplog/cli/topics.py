"""`steplog topics apply`: create the topics, or refuse."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from steplog.addresses import find_addresses
from steplog.cli.console import out, plain_table, print_json
from steplog.cli.options import AsJson, DataDir, settings_with
from steplog.settings import SteplogSettings
from steplog.topics import apply_topics
from steplog.topics_file import DeclaredTopics, read_topics_file

app = typer.Typer(help="Topics on the broker.", no_args_is_help=True)


@app.callback()
def topics() -> None:
    """Topics on the broker."""


@app.command()
def apply(
    file: Annotated[
        Path | None,
        typer.Option(help="Declarations to apply; default: those of the settings."),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Create missing topics and set their declared settings.

    A topic that exists with another partition count is refused, and then nothing is changed.

    $ steplog topics apply --file deploy/topics.yaml
    """
    settings = settings_with(data_dir)
    declared = _declared(file, settings)
    servers = settings.kafka_bootstrap_servers or find_addresses(settings).kafka_bootstrap_servers
    applied = asyncio.run(apply_topics(servers, declared.topics, declared.replication_factor))
    if as_json:
        print_json(
            [
                {"topic": one.topic.name, "partitions": one.topic.partitions, "change": one.change}
                for one in applied
            ]
        )
        return
    table = plain_table("topic", "partitions", "change")
    for one in applied:
        table.add_row(one.topic.name, str(one.topic.partitions), one.change)
    out.print(table)


def _declared(file: Path | None, settings: SteplogSettings) -> DeclaredTopics:
    if file is not None:
        return read_topics_file(file)
    return DeclaredTopics(tuple(settings.topics), replication_factor=1)
