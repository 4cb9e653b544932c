"""Who listens to what, and what they are told as rows commit.

One look at the positions serves all listeners, ten times a second at most and only while somebody
listens; where nothing moved that is all it costs. What moved is read once, whoever listens. A
listener that does not take its events in time is dropped; it comes back with the id of the last
event it saw, which is a position, so nothing of its past has to be kept here.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import structlog

from tracker_service.http_api.live.subscribers import (
    Listener,
    ListListener,
    OneListener,
    TooManyListeners,
)
from tracker_service.http_api.masking import Masks
from tracker_service.http_api.responses import position_text, record
from tracker_service.store.errors import StoreError
from tracker_service.store.freshness import Freshness
from tracker_service.store.queries import Row
from tracker_service.store.read_port import ReadModel

LOOK_EVERY_S: Final = 0.1
# Lists are told less often than single executions: under load each telling is long.
TELL_LISTS_EVERY_S: Final = 0.25
# Looking and telling take at most this share of the time.
SHARE_OF_TIME: Final = 0.25
MAX_LISTENERS: Final = 2_000
# One caller may have one share of the streams, so that the others still get some.
SHARES: Final = 10

_log = structlog.get_logger(__name__)
Positions = Mapping[int, int]


class ChangeFeed:
    """Tells listeners what changed."""

    def __init__(
        self, model: ReadModel, topic: str, masks: Masks, *, max_listeners: int = MAX_LISTENERS
    ) -> None:
        self._model = model
        self._topic = topic
        self._masks = masks
        self._max_listeners = max_listeners
        self._max_of_one = max(max_listeners // SHARES, 1)
        self._listeners: set[Listener] = set()
        # Of each execution somebody listens to, how it stood when it was told last.
        self._marks: dict[str, tuple[int, bool] | None] = {}
        self._seen: tuple[Positions, dict[int, int]] | None = None
        self._lists_at: Positions = {}
        self._lists_told_s = 0.0
        self._looking: asyncio.Task[None] | None = None

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def join(self, listener: Listener, at: Positions) -> None:
        """Tell a listener of every change from now on; `at` was read just before.

        Raises:
            TooManyListeners: the bound is reached.
        """
        if len(self._listeners) >= self._max_listeners:
            raise TooManyListeners(
                f"{self._max_listeners} streams are open, which is the bound; close some or come "
                "back later."
            )
        own = sum(one.owner == listener.owner for one in self._listeners)
        if own >= self._max_of_one:
            raise TooManyListeners(
                f"You have {own} streams open, which is one caller's share of them; close some."
            )
        self._listeners.add(listener)
        if self._looking is None:
            self._lists_at = at
            self._looking = asyncio.create_task(self._look_on(), name="change feed")

    def leave(self, listener: Listener) -> None:
        """Tell a listener no more."""
        self._listeners.discard(listener)

    async def catch_up(self, listener: ListListener, since: Positions) -> None:
        """Tell a listener that has joined what changed before it did."""
        now = places(await self._model.freshness(self._topic))
        if since == now:
            return
        changed = await self._model.changed(since, now)
        rows = await self._masks.shown([record(row) for row in changed.rows])
        listener.told(rows, _text(now), complete=changed.complete)

    async def close(self) -> None:
        """End all streams; those who listened may come back elsewhere."""
        for listener in self._listeners:
            listener.end()
        self._listeners.clear()
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.wait([looking])

    async def _look_on(self) -> None:
        while self._listeners:
            began_s = time.monotonic()
            try:
                await self._look()
            except StoreError as error:
                # Streams stay open; what is missed meanwhile is told when the rows are back.
                _log.warning("change_feed_waits", reason=str(error))
            took_s = time.monotonic() - began_s
            await asyncio.sleep(max(LOOK_EVERY_S - took_s, took_s * (1 / SHARE_OF_TIME - 1)))
        self._seen, self._looking = None, None

    async def _look(self) -> None:
        freshness = await self._model.freshness(self._topic)
        positions, generations = places(freshness), _generations(freshness)
        if self._seen != (positions, generations):
            # A partition met for the first time was not changed behind anybody's back.
            if self._seen is not None and not self._seen[1].items() <= generations.items():
                self._reset_lists(positions)
            await self._tell_of_single_ones()
            self._seen = (positions, generations)
        await self._tell_lists(positions)

    def _reset_lists(self, positions: Positions) -> None:
        self._lists_at = positions
        for listener in self._of_kind(ListListener):
            listener.tell("reset", _text(positions), {})

    async def _tell_lists(self, positions: Positions) -> None:
        due = time.monotonic() - self._lists_told_s >= TELL_LISTS_EVERY_S
        if not due or self._lists_at == positions:
            return
        listeners = self._of_kind(ListListener)
        if listeners:
            changed = await self._model.changed(self._lists_at, positions)
            rows = await self._masks.shown([record(row) for row in changed.rows])
            for listener in listeners:
                listener.told(rows, _text(positions), complete=changed.complete)
        self._lists_at, self._lists_told_s = positions, time.monotonic()

    async def _tell_of_single_ones(self) -> None:
        by_id: dict[str, list[OneListener]] = {}
        for listener in self._of_kind(OneListener):
            by_id.setdefault(listener.execution_id, []).append(listener)
        self._marks = {one: self._marks.get(one) for one in by_id}
        if not by_id:
            return
        for row in await self._model.executions_by_id(list(by_id)):
            execution_id, mark = row["execution_id"], (row["seq"], row["incomplete"])
            if mark != self._marks[execution_id]:
                self._marks[execution_id] = mark
                await self._tell(row, by_id[execution_id])

    async def _tell(self, row: Row, listeners: list[OneListener]) -> None:
        steps = [record(bar) for bar in await self._model.bars(row["execution_id"])]
        shown = await self._masks.shown({"execution": record(row), "steps": steps}, row)
        for listener in listeners:
            listener.told(**shown)

    def _of_kind(self, kind: type[Any]) -> list[Any]:
        """Return listeners of a kind; those dropped meanwhile are let go."""
        self._listeners = {one for one in self._listeners if not one.ended}
        return [one for one in self._listeners if isinstance(one, kind)]


def places(freshness: Freshness) -> Positions:
    """Return the next offset of each partition."""
    return {one.partition: one.next_offset for one in freshness.partitions}


def _generations(freshness: Freshness) -> dict[int, int]:
    return {one.partition: one.generation for one in freshness.partitions}


def _text(positions: Positions) -> str:
    return position_text({str(partition): offset for partition, offset in positions.items()})
