"""What commands that fold the past again need to know: where the log is and where the rows are."""

from pathlib import Path
from typing import Annotated, Any

import typer

from steplog.cli.connect.read_model import find_database_url
from steplog.cli.inputs.options import settings_with
from steplog.client.addresses import find_addresses
from steplog.errors import BadInput
from steplog_kafka.settings import kafka_settings
from tracker_service.rebuild.request import RebuildRequest

MaxPause = Annotated[
    float,
    typer.Option("--max-pause", min=0.05, max=600, help="Seconds the live tracker may wait."),
]
MaxDisk = Annotated[
    float | None, typer.Option("--max-disk", min=0, help="GiB the new tables may take.")
]
Processes = Annotated[
    int | None, typer.Option("--processes", min=1, max=64, help="Partitions built at once.")
]
_GIB = 1024**3


def bytes_of(gib: float | None) -> int | None:
    """Return gibibytes as bytes."""
    return None if gib is None else int(gib * _GIB)


def rebuild_order(
    data_dir: Path | None, *, into: str | None = None, **options: Any
) -> RebuildRequest:
    """Return the order of a rebuild.

    Raises:
        BadInput: the rows are not in PostgreSQL, or `into` is no name of a schema.
    """
    database_url = find_database_url(settings_with(data_dir))
    if not database_url.startswith(("postgres://", "postgresql://")):
        raise BadInput(
            "Only rows in PostgreSQL are rebuilt beside the live ones; name an embedded steplog's "
            "file with --data, and its rows are made again in place."
        )
    addresses = find_addresses(settings_with(data_dir))
    if into is not None:
        _check_name(into)
        options |= {"schema": into, "swaps": False, "keeps": True}
    return RebuildRequest(
        kafka_settings(addresses.kafka_bootstrap_servers).bootstrap_servers,
        database_url,
        addresses.topics.events.name,
        **options,
    )


def _check_name(into: str) -> None:
    if not into.isidentifier() or not into.isascii() or into.startswith("pg_"):
        raise BadInput(
            f"--into {into!r} is no name for a schema; use letters, digits and underscores."
        )
