"""The option `--as-of`, which asks about the past."""

from typing import Annotated

import typer

from steplog.cli.inputs.times import moment_before_now

AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="As it stood then: a time such as 2026-05-01T12:00, or how long ago: 15m, 2h, 3d.",
    ),
]


def as_of_parameter(text: str | None) -> str | None:
    """Return what the API is asked with; raise `BadInput` for what is no time."""
    return None if text is None else moment_before_now(text).isoformat()
