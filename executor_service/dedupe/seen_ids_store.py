"""The ids of a partition on their way to the seen topic, and back from it after a takeover.

Saved a few seconds' worth at a time. The commit says up to which events offset the ids are saved
and from which record on they are to be read; a new owner takes the rest from the events after that,
so no id is ever in neither.
"""

import asyncio
from collections.abc import Callable

import structlog

from executor_service.dedupe.seen_ids import SeenIds
from executor_service.errors import LogLostRecords
from executor_service.ports.event_log import EventLog, LoggedRecord
from executor_service.ports.last_record import LastRecord, digest_of
from executor_service.writer_identity import WriterIdentity
from steplog_contracts.envelope import Headers
from steplog_contracts.errors import UndecodableRecord
from steplog_contracts.seen_record import MAX_IDS_PER_RECORD, decode_seen, encode_seen

SAVE_EVERY_S = 5.0
SAVE_AT_IDS = MAX_IDS_PER_RECORD // 2

_log = structlog.get_logger(__name__)


class SeenIdsStore:
    """Saves and loads the seen ids of one partition."""

    def __init__(
        self, log: EventLog, partition: int, seen: SeenIds, identity: WriterIdentity
    ) -> None:
        self._log = log
        self._partition = partition
        self.seen = seen
        self._identity = identity
        self._saved_at_s = identity.clock.monotonic_s()
        self._saving: asyncio.Task[None] | None = None
        self.last_record: LastRecord | None = None
        self.loss: str | None = None  # How the seen topic was found to have lost records.

    async def load(
        self, start: int, other: Callable[[LoggedRecord], bool] = lambda _: False
    ) -> None:
        """Take in what was saved from a record on; `other` says which records are its own."""
        seen = self.seen
        end = await self._log.end_offset(self._partition)
        seen.start_reading(min(start, end))
        async for logged in self._log.read(self._partition, start, end):
            seen.records_end = logged.offset
            self._know(logged.offset, logged.value, logged.headers)
            try:
                if other(logged):
                    continue
                saved = decode_seen(logged.value, logged.headers)
            except (UndecodableRecord, ValueError, TypeError, AttributeError) as error:
                _log.warning("unreadable_seen_record", offset=logged.offset, reason=str(error))
                continue
            seen.add_claims(saved.claims, saved=True)
            seen.absorb(saved.entries, saved.time)
            await asyncio.sleep(0)  # A full record takes milliseconds; executions go on between.
        seen.records_end = end

    def save_if_due(self) -> None:
        """Begin to save where enough is waiting or has waited for long enough."""
        seen, now_s = self.seen, self._identity.clock.monotonic_s()
        seen.age(self._identity.clock.now())
        waiting = len(seen.unsaved)
        due = waiting >= SAVE_AT_IDS or now_s - self._saved_at_s >= SAVE_EVERY_S
        if due and (waiting or seen.unsaved_claims):
            self.begin()

    def begin(self) -> None:
        """Save what is waiting, unless that is being done."""
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self.save())

    async def save(self) -> None:
        """Save everything that waits now; a fault of the log leaves it waiting."""
        seen = self.seen
        self._saved_at_s = self._identity.clock.monotonic_s()
        count = len(seen.unsaved)
        try:
            while count > 0 or seen.unsaved_claims:
                saved = min(count, MAX_IDS_PER_RECORD)
                await self._append(saved)
                count -= saved
        except LogLostRecords as error:
            self.loss = str(error)
        except Exception as error:  # The commit does not claim it, so nothing is lost.
            _log.warning("seen_not_saved", partition=self._partition, reason=str(error))

    async def stop(self) -> None:
        """Stop saving."""
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.wait([self._saving])

    async def _append(self, count: int) -> None:
        seen = self.seen
        claims = len(seen.unsaved_claims)
        record = encode_seen(
            seen.unsaved[:count],
            seen.unsaved_claims[:claims],
            record_id=self._identity.new_id(),
            source=self._identity.source,
            time=self._identity.clock.now(),
        )
        appended = await self._log.append(self._partition, [record])
        base = appended.base_offset
        if base is not None:
            if base < seen.records_end:
                raise LogLostRecords(
                    f"The seen ids of partition {self._partition} reached offset "
                    f"{seen.records_end} and a record was put at {base}."
                )
            self._know(base, record.value, record.headers)
        seen.saved(count, claims, base)

    def _know(self, offset: int, value: bytes | None, headers: Headers) -> None:
        self.last_record = LastRecord(offset, digest_of(value, headers))
