"""A program's own events, folded straight into the rows of a read model that no log fills.

For runs in library use: there is no topic to follow, and people of the older library expect their
tracker's tables to be filled by the run itself. The fold and the transaction are those of the
worker; rows that a worker makes from a log are left alone, since a rebuild would drop these.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from steplog_contracts.codec import encode_event
from steplog_contracts.envelope import (
    EventEnvelope,
    RecordedEvent,
    event_id,
    execution_namespace,
)
from steplog_contracts.epoch import EpochRule
from steplog_contracts.events import Event
from tracker_service.projections.batch_fold import BatchFold
from tracker_service.projections.errors import Unfoldable
from tracker_service.projections.record_header import read_heading
from tracker_service.store.errors import StoreRefused, StoreUnavailable
from tracker_service.store.write_port import Advance, Position, Store

# The position of such rows stands under this name, where a worker's has the topic's.
SOURCE: Final = "library"
_PARTITION: Final = 0
# How often another program may move the position in between before an append is given up.
MAX_CONFLICTS: Final = 100


@dataclass(frozen=True, slots=True)
class _OwnRecord:
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class DirectProjection:
    """Appends the events of executions to the rows; any number of programs may do so at once."""

    def __init__(
        self, store: Store, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._now = now
        self._turn = asyncio.Lock()
        self._is_open = False

    async def append(self, execution_id: str, events: Sequence[Event], cause: str | None) -> None:
        """Fold an execution's next events into its rows; returns once they are committed.

        Raises:
            StoreRefused: the rows are made from a log, or the schema is another's.
            StoreUnavailable: the database is away, or others write without a pause.
            Unfoldable: an event does not fit the execution's history.
        """
        async with self._turn:
            await self._open()
            for _ in range(MAX_CONFLICTS):
                if await self._advance(execution_id, events, cause):
                    return
        raise StoreUnavailable("Other programs write these rows all the time; try again.")

    async def close(self) -> None:
        """Close the store."""
        if self._is_open:
            self._is_open = False
            await self._store.close()

    async def _open(self) -> None:
        if self._is_open:
            return
        await self._store.open()
        self._is_open = True
        others = [topic for topic in await self._store.topics() if topic != SOURCE]
        if others:
            await self.close()
            raise StoreRefused(
                f"The rows of this database are made from the topic {others[0]}; track runs in "
                "library use in a database of their own, or register an EventPublisher."
            )

    async def _advance(self, execution_id: str, events: Sequence[Event], cause: str | None) -> bool:
        position = (await self._store.positions(SOURCE, [_PARTITION]))[_PARTITION]
        loaded = await self._store.load([execution_id])
        state = loaded.states.get(execution_id)
        records = self._records(execution_id, events, cause, position, state.seq if state else 0)
        fold = BatchFold(_PARTITION, loaded.states, loaded.quarantined, EpochRule(position.epoch))
        changes = fold.take_all([read_heading(record) for record in records])
        if changes.set_aside:
            raise Unfoldable(changes.set_aside[0].code, changes.set_aside[0].reason)
        step = Advance(
            topic=SOURCE,
            partition=_PARTITION,
            before=position,
            next_offset=position.next_offset + len(records),
            epoch=position.epoch,
            last_event_at=self._now(),
            changes=changes,
            end_offset=position.next_offset + len(records),
        )
        return await self._store.advance(step)

    def _records(
        self,
        execution_id: str,
        events: Sequence[Event],
        cause: str | None,
        position: Position,
        last_seq: int,
    ) -> list[_OwnRecord]:
        namespace = execution_namespace(execution_id)
        records = []
        for number, event in enumerate(events):
            seq = last_seq + 1 + number
            envelope = EventEnvelope(
                event_id=event_id(namespace, seq),
                source=SOURCE,
                time=self._now(),
                execution_id=execution_id,
                seq=seq,
                causation_id=cause,
            )
            encoded = encode_event(RecordedEvent(envelope, event))
            records.append(_OwnRecord(position.next_offset + number, *encoded))
        return records
