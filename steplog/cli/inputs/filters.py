"""What a list of executions is narrowed by, as options, and as the API is asked for it."""

import re
from typing import Annotated

import typer

from steplog.cli.inputs.times import moment_before_now
from steplog.client.read_api import Parameter
from steplog.errors import BadInput
from steplog_contracts.records import ExecutionStatus

_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)")
_UNIT_MS = {"ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6, "d": 8.64e7}
_WHICH = "Which executions"

Statuses = Annotated[
    list[ExecutionStatus] | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        help=f"That stand so; may be given several times: {', '.join(ExecutionStatus)}.",
        rich_help_panel=_WHICH,
    ),
]
OfPipeline = Annotated[
    str | None,
    typer.Option("--pipeline", metavar="NAME", help="Of this pipeline.", rich_help_panel=_WHICH),
]
BegunSince = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Begun then or later: a time such as 2026-05-01T12:00, or how long ago: 15m, 2h, 3d.",
        rich_help_panel=_WHICH,
    ),
]
BegunUntil = Annotated[
    str | None,
    typer.Option("--until", metavar="TIME", help="Begun before then.", rich_help_panel=_WHICH),
]
WithError = Annotated[
    str | None,
    typer.Option("--error", metavar="TEXT", help="With this in the error.", rich_help_panel=_WHICH),
]
WithMetadata = Annotated[
    list[str] | None,
    typer.Option(
        "--metadata",
        metavar="KEY=VALUE",
        help="With this in the metadata; may be given several times.",
        rich_help_panel=_WHICH,
    ),
]
MinDuration = Annotated[
    str | None,
    typer.Option(
        "--min-duration",
        metavar="DURATION",
        help="That took so long or longer: 200ms, 1.5s, 10m, 2h.",
        rich_help_panel=_WHICH,
    ),
]
MaxDuration = Annotated[
    str | None,
    typer.Option(
        "--max-duration",
        metavar="DURATION",
        help="That took no longer than this.",
        rich_help_panel=_WHICH,
    ),
]
Waiting = Annotated[
    bool,
    typer.Option("--waiting", help="That wait for a person's answer.", rich_help_panel=_WHICH),
]


def asked_for(
    *,
    statuses: list[ExecutionStatus] | None = None,
    pipeline: str | None = None,
    since: str | None = None,
    until: str | None = None,
    error: str | None = None,
    metadata: list[str] | None = None,
    min_duration: str | None = None,
    max_duration: str | None = None,
    waiting: bool = False,
) -> dict[str, Parameter]:
    """Return the parameters that ask the API for such executions.

    Raises:
        BadInput: a time, a duration or a pair that is none.
    """
    asked: dict[str, Parameter] = {
        "status": [status.value for status in statuses or ()] or None,
        "pipeline_id": pipeline,
        "started_after": None if since is None else moment_before_now(since).isoformat(),
        "started_before": None if until is None else moment_before_now(until).isoformat(),
        "error": error,
        "min_duration_ms": None if min_duration is None else milliseconds(min_duration),
        "max_duration_ms": None if max_duration is None else milliseconds(max_duration),
        "waiting": "true" if waiting else None,
    }
    for pair in metadata or ():
        key, value = key_and_value(pair, "--metadata")
        asked[f"metadata.{key}"] = value
    return asked


def milliseconds(text: str) -> float:
    """Return a duration such as `200ms`, `1.5s`, `10m`, `2h`; raise `BadInput` for what is none."""
    told = _DURATION.fullmatch(text.strip())
    if told is None:
        raise BadInput(f"'{text}' is no duration; give one such as 200ms, 1.5s, 10m or 2h.")
    return float(told[1]) * _UNIT_MS[told[2]]


def key_and_value(pair: str, option: str) -> tuple[str, str]:
    """Return the halves of `key=value`; raise `BadInput` where there are not two."""
    key, equals, value = pair.partition("=")
    if not key or not equals:
        raise BadInput(f"'{pair}' is no pair; give {option} as KEY=VALUE.")
    return key, value
