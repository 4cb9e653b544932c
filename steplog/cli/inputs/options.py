"""Options that several commands share, and the settings they change."""

from pathlib import Path
from typing import Annotated

import typer

from steplog.cli.views.hints import remember_place
from steplog.settings import DEFAULT_DATA_FILE, SteplogSettings, load_settings

_WHERE = "Which steplog"

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        help="Folder of the local stack (or STEPLOG_DATA_DIR; default: ./.steplog).",
        show_default=False,
        rich_help_panel=_WHERE,
    ),
]
EmbeddedMode = Annotated[
    bool,
    typer.Option(
        "--embedded",
        help="Embedded mode: one process, one SQLite file, no broker.",
        rich_help_panel=_WHERE,
    ),
]
DataFile = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="File of embedded mode (or STEPLOG_DATA_FILE; default: ./.steplog/steplog.db).",
        show_default=False,
        rich_help_panel=_WHERE,
    ),
]
ReplicationFactor = Annotated[
    int | None,
    typer.Option(
        "--replication-factor",
        min=1,
        max=100,
        help="Replicas of topics that are made "
        "(or STEPLOG_KAFKA_REPLICATION_FACTOR; default: the brokers' own).",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def settings_with(
    data_dir: Path | None = None,
    api_port: int | None = None,
    *,
    embedded: bool = False,
    data: Path | None = None,
) -> SteplogSettings:
    """Return the settings of the environment, with what the command line says on top."""
    remember_place(data_dir, embedded=embedded, data=data)
    given = {"data_dir": data_dir, "api_port": api_port, "data_file": data}
    changed = {name: value for name, value in given.items() if value is not None}
    settings = load_settings().model_copy(update=changed)
    if embedded and settings.data_file is None:
        file = settings.data_dir / DEFAULT_DATA_FILE
        return settings.model_copy(update={"data_file": file})
    return settings
