"""`steplog topics`: create the topics or refuse, and the rights that processes need on them."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from steplog.admin.access_rights import Role, default_principal, grant, rights
from steplog.admin.topics import apply_topics
from steplog.admin.topics_file import DeclaredTopics, read_topics_file
from steplog.cli.inputs.options import AsJson, DataDir, ReplicationFactor, settings_with
from steplog.cli.views.console import out, plain_table, print_json
from steplog.client.addresses import find_addresses
from steplog.errors import BadInput
from steplog.settings import SteplogSettings
from steplog_kafka.settings import Kafka

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
    replication_factor: ReplicationFactor = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Create missing topics and set their declared settings.

    A topic that exists with another partition count is refused, and then nothing is changed.

    $ steplog topics apply --file deploy/topics.yaml
    """
    settings = settings_with(data_dir)
    declared = _declared(file, settings)
    replicas = replication_factor or declared.replication_factor
    applied = asyncio.run(apply_topics(_servers(settings), declared.topics, replicas))
    if as_json:
        print_json(
            [
                {
                    "topic": one.topic.name,
                    "partitions": one.topic.partitions,
                    "replication_factor": one.replication_factor,
                    "change": one.change,
                }
                for one in applied
            ]
        )
        return
    table = plain_table("topic", "partitions", "replicas", "change")
    for one in applied:
        counts = (str(one.topic.partitions), str(one.replication_factor))
        table.add_row(one.topic.name, *counts, one.change)
    out.print(table)


@app.command()
def acls(
    principal: Annotated[
        list[str] | None,
        typer.Option(
            "--principal",
            metavar="ROLE=USER",
            help="Who a role comes as, such as executor=User:etl; default: User:steplog-ROLE.",
        ),
    ] = None,
    executor_group: Annotated[
        str | None, typer.Option(help="STEPLOG_EXECUTOR_GROUP of the executors, if it is set.")
    ] = None,
    tracker_group: Annotated[
        str | None, typer.Option(help="STEPLOG_TRACKER_GROUP of the trackers, if it is set.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Grant them on the broker.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Print the least rights (ACLs) that each process needs on Kafka, or grant them.

    Rights that are there already stay; none is taken away.

    $ steplog topics acls --principal executor=User:etl --apply
    """
    settings = settings_with(data_dir)
    namespace = settings.topic_namespace
    needed = rights(
        settings.topics,
        executor_group or f"{namespace}.executor",
        tracker_group or f"{namespace}.tracker",
    )
    users = {role: default_principal(role) for role in Role} | _principals(principal or [])
    if apply:
        asyncio.run(grant(_servers(settings), needed, users))
    if as_json:
        print_json([{**asdict(one), "principal": users[one.role]} for one in needed])
        return
    table = plain_table("principal", "resource", "name", "operations")
    for one in needed:
        table.add_row(users[one.role], one.resource, one.name, ", ".join(one.operations))
    out.print(table)
    if apply:
        out.print("All of these are granted.")


def _principals(given: list[str]) -> dict[Role, str]:
    found = {}
    for one in given:
        role, _, user = one.partition("=")
        if role not in set(Role) or ":" not in user:
            raise BadInput(
                f"--principal {one!r} is not of the form ROLE=User:NAME; roles are "
                f"{', '.join(Role)}."
            )
        found[Role(role)] = user
    return found


def _servers(settings: SteplogSettings) -> Kafka:
    return settings.kafka_bootstrap_servers or find_addresses(settings).kafka_bootstrap_servers


def _declared(file: Path | None, settings: SteplogSettings) -> DeclaredTopics:
    if file is not None:
        return read_topics_file(file)
    return DeclaredTopics(tuple(settings.topics), replication_factor=None)
