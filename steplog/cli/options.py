"""Options that several commands share, and the settings they change."""

from pathlib import Path
from typing import Annotated

import typer

from steplog.settings import SteplogSettings, load_settings

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder of the local stack (or STEPLOG_DATA_DIR; default: ./.steplog).",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def settings_with(data_dir: Path | None = None, api_port: int | None = None) -> SteplogSettings:
    """Return the settings of the environment, with what the command line says on top."""
    given = {"data_dir": data_dir, "api_port": api_port}
    changed = {name: value for name, value in given.items() if value is not None}
    return load_settings().model_copy(update=changed)
