"""`?as_of=TIME` and `?at_seq=N`: the same questions about a moment in the past.

An answer says the moment, where it was told from, and what it can't know (`past` in its body).
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Query, Response

from steplog_contracts.envelope import format_time
from tracker_service.history.as_of import StoodThen, When, stood
from tracker_service.http_api.cursors import decode_cursor, encode_cursor, known_id
from tracker_service.http_api.masking import Masks
from tracker_service.http_api.moments import in_utc, place_in_utc
from tracker_service.http_api.problems import BadQuestion
from tracker_service.http_api.responses import answer, record
from tracker_service.log.events_log import EventsLog
from tracker_service.store.freshness import Freshness
from tracker_service.store.queries import PastFilter, Row
from tracker_service.store.read_port import ReadModel

# A caller's clock may be ahead by so much; further on is the future.
CLOCK_SKEW: Final = timedelta(seconds=5)
# What only a place in the log tells; a row of an unended execution has it of now.
_UNKNOWN: Final = ("seq", "position")

AsOf = Annotated[
    str | None,
    Query(max_length=40, description="As it stood at this time, such as 2026-05-01T12:00:00Z."),
]
AtSeq = Annotated[
    int | None,
    Query(ge=1, le=2**63 - 1, description="As it stood after this event."),
]


class Past:
    """Answers about the past from a read model, and from the log where one is at hand."""

    def __init__(self, model: ReadModel, topic: str, log: EventsLog | None, masks: Masks) -> None:
        self._model = model
        self._masks = masks
        self._topic = topic
        self._log = log

    async def listed(
        self,
        as_of: str,
        *,
        limit: int,
        cursor: str | None = None,
        status: str | None = None,
        pipeline_id: str | None = None,
    ) -> Response:
        """Answer with the executions that had begun, newest first, as they stood."""
        freshness, at = await self._moment(as_of)
        after = None if cursor is None else decode_cursor(cursor, _place)
        page = await self._model.past.page(PastFilter(at, limit, status, pipeline_id, after))
        body = {
            "items": [_known(record(row)) for row in page.rows],
            "next_cursor": page.following and _cursor(*page.following),
            "past": await self._told(at, freshness),
        }
        return answer(await self._masks.shown(body), freshness)

    async def counted(self, as_of: str) -> Response:
        """Answer with how many executions stood how; all are counted, so it may take a while."""
        freshness, at = await self._moment(as_of)
        counts = await self._model.past.counts(at)
        body = {
            "counts": counts,
            "total": sum(counts.values()),
            "exact": True,
            "at_least": [],
            "counted_at": None,
            "past": await self._told(at, freshness),
        }
        return answer(body, freshness)

    async def one(self, row: Row, as_of: str | None, at_seq: int | None) -> Response:
        """Answer with one execution, its steps and questions, as they stood."""
        freshness, then, told = await self._stood(row, as_of, at_seq)
        body = {
            "execution": _known(record(then.execution)),
            "steps": [record(step) for step in then.steps],
            "interactions": [record(question) for question in then.interactions],
            "past": told,
        }
        return answer(await self._masks.shown(body, row), freshness)

    async def steps(self, row: Row, as_of: str | None, at_seq: int | None) -> Response:
        """Answer with an execution's steps as they stood."""
        freshness, then, told = await self._stood(row, as_of, at_seq)
        body = {"items": [record(step) for step in then.steps], "past": told}
        return answer(await self._masks.shown(body, row), freshness)

    async def _stood(
        self, row: Row, as_of: str | None, at_seq: int | None
    ) -> tuple[Freshness, StoodThen, dict[str, Any]]:
        if as_of is not None and at_seq is not None:
            raise BadQuestion("as_of and at_seq exclude each other; give one of them.")
        freshness = await self._model.freshness(self._topic)
        at = None if as_of is None else moment(as_of, freshness.now)
        then = await stood(self._log, self._model.past, row, When(at, at_seq))
        told = {
            "as_of": None if at is None else format_time(at),
            "at_seq": at_seq,
            "told_from": then.told_from,
            "note": then.note,
        }
        return freshness, then, told

    async def _moment(self, as_of: str) -> tuple[Freshness, datetime]:
        freshness = await self._model.freshness(self._topic)
        return freshness, moment(as_of, freshness.now)

    async def _told(self, at: datetime, freshness: Freshness) -> dict[str, Any]:
        begin = await self._model.past.begin()
        pruned_before = await self._model.pruned_before()
        return {
            "as_of": format_time(at),
            "told_from": "rows",
            "settled": settled(at, freshness),
            "rows_begin_at": None if begin is None else format_time(begin),
            "note": _limits(at, begin, pruned_before),
        }


def moment(as_of: str, now: datetime) -> datetime:
    """Return the moment meant.

    Raises:
        BadQuestion: it is no time, has no time zone, or lies in the future.
    """
    try:
        at = datetime.fromisoformat(as_of)
    except ValueError as error:
        raise BadQuestion(
            f"as_of takes a time such as 2026-05-01T12:00:00Z, not {as_of!r}; in an address, + is "
            "written %2B."
        ) from error
    if at.tzinfo is None:
        raise BadQuestion(f"as_of has no time zone: {as_of!r}; end it in Z or an offset.")
    at = in_utc("as_of", at)
    if at > now + CLOCK_SKEW:
        raise BadQuestion(
            f"as_of lies in the future: it is {format_time(now)}; leave it out to ask about now."
        )
    return at


def settled(at: datetime, freshness: Freshness) -> bool:
    """Whether every partition is applied beyond the moment, so that nothing of it is missing."""
    return all(
        max((t for t in (part.caught_up_at, part.last_event_at) if t is not None), default=at) > at
        for part in freshness.partitions
    )


def _limits(at: datetime, begin: datetime | None, pruned_before: datetime | None) -> str | None:
    if begin is None or at < begin:
        oldest = "there are none" if begin is None else f"the oldest began at {format_time(begin)}"
        return f"The rows hold no execution that had begun by then: {oldest}."
    if pruned_before is not None and at < pruned_before:
        return (
            f"Executions that ended before {format_time(pruned_before)} were pruned from the rows "
            "and are missing here; `steplog rebuild` brings back those the log still has."
        )
    return None


def _known(told: Row) -> Row:
    return {
        name: value for name, value in told.items() if name not in _UNKNOWN or value is not None
    }


def _cursor(started_at: datetime, execution_id: str) -> str:
    return encode_cursor(format_time(started_at), execution_id)


def _place(started_at: Any, execution_id: Any) -> tuple[datetime, str]:
    return place_in_utc(started_at), known_id(execution_id)


def refuse_with(as_of: str | None, **others: object) -> None:
    """Refuse what can't be asked about the past.

    Raises:
        BadQuestion: a filter was given that only the present has.
    """
    given = [name for name, value in others.items() if value not in (None, (), [])]
    if as_of is not None and given:
        raise BadQuestion(
            f"as_of goes with status, pipeline_id, limit and cursor, not with {given[0]}."
        )


__all__ = ["AsOf", "AtSeq", "Past", "moment", "refuse_with", "settled"]
