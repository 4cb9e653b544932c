"""What a list of executions is narrowed by, as options, and as the API is asked for it."""

import shlex
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final

import typer

from steplog.cli.inputs.times import milliseconds, time_parameter
from steplog.client.read_api import Parameter, ReadApi
from steplog.errors import BadInput
from steplog_contracts.records import ExecutionRecord, ExecutionStatus

_WHICH = "Which executions"
PAGE_EXECUTIONS: Final = 200
DEFAULT_EXECUTIONS: Final = 1_000
MAX_EXECUTIONS: Final = 1_000_000
_OVER: Final = "pipeline=NAME status=STATUS since=2h limit=1000, any of them."

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
Limit = Annotated[
    int,
    typer.Option(min=1, max=MAX_EXECUTIONS, help="At most so many.", rich_help_panel=_WHICH),
]
Over = Annotated[str, typer.Option(hidden=True, help=f"The same in one text: {_OVER}")]
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
        "started_after": time_parameter(since),
        "started_before": time_parameter(until),
        "error": error,
        "min_duration_ms": None if min_duration is None else milliseconds(min_duration),
        "max_duration_ms": None if max_duration is None else milliseconds(max_duration),
        "waiting": "true" if waiting else None,
    }
    for pair in metadata or ():
        key, value = key_and_value(pair, "--metadata")
        asked[f"metadata.{key}"] = value
    return asked


def key_and_value(pair: str, option: str) -> tuple[str, str]:
    """Return the halves of `key=value`; raise `BadInput` where there are not two."""
    key, equals, value = pair.partition("=")
    if not key or not equals:
        raise BadInput(f"'{pair}' is no pair; give {option} as KEY=VALUE.")
    return key, value


def options_in(text: str) -> dict[str, Any]:
    """Return the options that a text such as `pipeline=weather since=7d limit=10` stands for.

    Raises:
        BadInput: a word that is no filter, or a value that fits none.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"'{text}' can't be read: {error}; write {_OVER}") from error
    options: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        match name:
            case "pipeline" | "since" if value:
                options[name] = value
            case "status" if value in set(ExecutionStatus):
                options["statuses"] = [ExecutionStatus(value)]
            case "limit" if value.isdecimal() and 1 <= int(value) <= MAX_EXECUTIONS:
                options["limit"] = int(value)
            case _:
                raise BadInput(f"'{word}' is no filter; write {_OVER}")
    return options


async def matching(
    read: ReadApi, asked: Mapping[str, Parameter], limit: int
) -> AsyncIterator[ExecutionRecord]:
    """Yield the executions that the API gives for such parameters, newest first."""
    cursor = None
    while limit > 0:
        page = await read.executions(**asked, limit=min(PAGE_EXECUTIONS, limit), cursor=cursor)
        for execution in page.items:
            yield execution
        limit -= len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return
