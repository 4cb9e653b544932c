"""What a list of executions can be narrowed by, read from the query and held to bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Depends, Query, Request

from steplog_contracts.records import ExecutionStatus
from tracker_service.access.roles import Caller, NotAllowed, Role
from tracker_service.http_api.cursors import read_cursor
from tracker_service.http_api.known_parameters import METADATA, Taking
from tracker_service.http_api.masking import Mask, Masks
from tracker_service.http_api.middleware.caller import CallerOfRequest
from tracker_service.http_api.moments import Moment
from tracker_service.http_api.problems import BadQuestion
from tracker_service.store.queries import (
    DEFAULT_PAGE_ROWS,
    MAX_PAGE_ROWS,
    ExecutionFilter,
    Sort,
)

MAX_TEXT_CHARS: Final = 200
MAX_CURSOR_CHARS: Final = 1_000
MAX_METADATA_KEYS: Final = 10
MAX_DURATION_MS: Final = 1e12  # About 32 years.
PLAIN_TEXT: Final = r"^[^\x00-\x1f\x7f]*$"
# Whatever may stand in metadata can be asked for, as far as an address has room.
MAX_METADATA_CHARS: Final = 8_000

Text = Query(max_length=MAX_TEXT_CHARS, pattern=PLAIN_TEXT)
DurationMs = Query(ge=0, le=MAX_DURATION_MS, allow_inf_nan=False)


class Order(StrEnum):
    """Which way a list goes."""

    DESC = "desc"
    ASC = "asc"


def ranges(
    started_after: Annotated[Moment | None, Query(description="At or after.")] = None,
    started_before: Moment | None = None,
    min_duration_ms: Annotated[float | None, DurationMs] = None,
    max_duration_ms: Annotated[float | None, DurationMs] = None,
) -> ExecutionFilter:
    """Return the filter of what lies between two values."""
    return ExecutionFilter(
        started_from=started_after,
        started_before=started_before,
        min_duration_ms=min_duration_ms,
        max_duration_ms=max_duration_ms,
    )


async def narrowed(
    request: Request,
    caller: CallerOfRequest,
    _taking: Annotated[None, Depends(Taking((METADATA,)))],
    within: Annotated[ExecutionFilter, Depends(ranges)],
    status: Annotated[
        list[ExecutionStatus], Query(max_length=len(ExecutionStatus), description="Any of these.")
    ] = [],  # noqa: B006 - FastAPI copies it
    pipeline_id: Annotated[str | None, Text] = None,
    error: Annotated[str | None, Text] = None,
    waiting: Annotated[bool | None, Query(description="For a person's answer.")] = None,
) -> ExecutionFilter:
    """Return the filter of a list or a count; `metadata.<key>=<text>` narrows it further."""
    metadata = _metadata(request)
    secrets = await _hidden_from(caller, request, asked=bool(metadata or error))
    _refuse_secret(metadata, secrets)
    return replace(
        within,
        statuses=tuple(dict.fromkeys(one.value for one in status)),
        pipeline_id=pipeline_id,
        error_text=error or None,
        error_not_of=tuple(sorted(secrets)) if error else (),
        metadata=metadata,
        waiting=waiting,
    )


Narrowed = Annotated[ExecutionFilter, Depends(narrowed)]


def paged(
    wanted: Narrowed,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS)] = DEFAULT_PAGE_ROWS,
    sort: Annotated[Sort, Query(description="The last two: ended executions only.")] = (
        Sort.STARTED_AT
    ),
    order: Order = Order.DESC,
    brief: Annotated[bool, Query(description="Without input, output and parameters.")] = False,
) -> ExecutionFilter:
    """Return the filter of a page in its order."""
    return replace(
        wanted,
        limit=limit,
        sort=sort,
        descending=order is Order.DESC,
        brief=brief,
    )


Cursor = Annotated[
    str | None, Query(max_length=MAX_CURSOR_CHARS, description="next_cursor of a page.")
]


def on_page(wanted: ExecutionFilter, cursor: str | None) -> ExecutionFilter:
    """Return the filter of the page a cursor leads to."""
    if cursor is None:
        return wanted
    return replace(wanted, after=read_cursor(cursor, wanted.sort, descending=wanted.descending))


def beyond_the_past(wanted: ExecutionFilter) -> dict[str, object]:
    """Return by name what a list about the past can't be narrowed or ordered by, None if not."""
    return {
        "several statuses": wanted.statuses[1:],
        "started_after": wanted.started_from,
        "started_before": wanted.started_before,
        "min_duration_ms": wanted.min_duration_ms,
        "max_duration_ms": wanted.max_duration_ms,
        "error": wanted.error_text,
        "metadata": wanted.metadata,
        "waiting": wanted.waiting,
        "sort": None if wanted.sort is Sort.STARTED_AT else wanted.sort,
        "order": None if wanted.descending else "asc",
    }


Paged = Annotated[ExecutionFilter, Depends(paged)]


async def _hidden_from(caller: Caller, request: Request, *, asked: bool) -> Mapping[str, Mask]:
    """Return the masks of definitions a filter must not look behind, which for admins is none."""
    if not asked or caller.role >= Role.ADMIN:
        return {}
    masks: Masks = request.app.state.parts.masks
    return await masks.definitions_with_secrets()


def _refuse_secret(metadata: Sequence[tuple[str, str]], secrets: Mapping[str, Mask]) -> None:
    """Refuse to search what is masked: whether a guess is found would tell it."""
    for key, _text in metadata:
        if any(mask.may_begin_at(key) for mask in secrets.values()):
            raise NotAllowed(
                f"metadata.{key} is secret in some pipeline, so only an admin may search by it; "
                "use another key, or ask for a token of that role."
            )


def _metadata(request: Request) -> tuple[tuple[str, str], ...]:
    found = []
    for name, text in request.query_params.multi_items():
        if not name.startswith(METADATA):
            continue
        key = name.removeprefix(METADATA)
        if len(key) + len(text) > MAX_METADATA_CHARS:
            raise BadQuestion(
                f"A metadata key and its text may have {MAX_METADATA_CHARS} characters together."
            )
        found.append((key, text))
    if len(found) > MAX_METADATA_KEYS:
        raise BadQuestion(f"At most {MAX_METADATA_KEYS} metadata keys can be asked for at once.")
    return tuple(found)
