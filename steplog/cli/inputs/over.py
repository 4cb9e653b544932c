"""Which executions a bulk command is about, said in one text: `pipeline=weather since=7d`."""

import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from steplog.cli.inputs.times import moment_before_now
from steplog.client.read_api import ReadApi
from steplog.errors import BadInput
from steplog_contracts.records import ExecutionRecord, ExecutionStatus

PAGE_EXECUTIONS: Final = 200
DEFAULT_EXECUTIONS: Final = 1_000
MAX_EXECUTIONS: Final = 1_000_000
HELP = "pipeline=NAME status=STATUS since=2h limit=1000, any of them."


@dataclass(frozen=True, slots=True)
class Over:
    """Executions, newest first: of a pipeline, with a status, begun since, at most so many."""

    pipeline: str | None = None
    status: ExecutionStatus | None = None
    since: datetime | None = None
    limit: int = DEFAULT_EXECUTIONS


def read_over(text: str) -> Over:
    """Return what a text means.

    Raises:
        BadInput: a word that is no filter, or a value that fits none.
    """
    over = Over()
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"'{text}' can't be read: {error}; write {HELP}") from error
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadInput(f"'{word}' is no filter; write {HELP}")
        over = _narrowed(over, name, value)
    return over


def _narrowed(over: Over, name: str, value: str) -> Over:
    match name:
        case "pipeline":
            return replace(over, pipeline=value)
        case "status" if value in set(ExecutionStatus):
            return replace(over, status=ExecutionStatus(value))
        case "since":
            return replace(over, since=moment_before_now(value))
        case "limit" if value.isdecimal() and 1 <= int(value) <= MAX_EXECUTIONS:
            return replace(over, limit=int(value))
    raise BadInput(f"'{name}={value}' is no filter; write {HELP}")


async def executions_over(read: ReadApi, over: Over) -> AsyncIterator[ExecutionRecord]:
    """Yield the executions meant, newest first."""
    left, cursor = over.limit, None
    while left > 0:
        page = await read.executions(
            status=over.status, pipeline_id=over.pipeline,
            limit=min(PAGE_EXECUTIONS, left), cursor=cursor,
        )  # fmt: skip
        for execution in page.items:
            if over.since is not None and execution.started_at < over.since:
                return
            left -= 1
            yield execution
        cursor = page.next_cursor
        if cursor is None:
            return
