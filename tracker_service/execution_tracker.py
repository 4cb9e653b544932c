"""`ExecutionTracker`: the one reader of history in code, over whichever read model there is.

As in the library that steplog replaces, a run in library use can have it as `execution_tracker`:
the run's events are then folded into the rows by the fold that the worker uses. Rows that a worker
makes from a log are only read.
"""

import asyncio
import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from steplog_contracts.data_ref import DataRef
from steplog_contracts.envelope import format_time
from steplog_contracts.event_publisher import EventPublisher
from steplog_contracts.events import Event
from steplog_contracts.payload import JsonValue
from steplog_contracts.records import ExecutionRecord, StepRecord
from steplog_contracts.stored_value import StoredValue, placed, references_in
from tracker_service.payload_reader import make_reader, with_values
from tracker_service.projector.direct_projection import DirectProjection
from tracker_service.store.errors import StoreRefused
from tracker_service.store.factory import read_model_for, store_for
from tracker_service.store.queries import DEFAULT_PAGE_ROWS, MAX_PAGE_ROWS, ExecutionFilter, Row
from tracker_service.store.read_port import ReadModel

Record = dict[str, Any]


class ExecutionTracker(EventPublisher):
    """Reads executions and their steps as records: dicts with the published keys, in order.

    Made from a database URL (`postgresql://...` or `sqlite:///file`), from anything that has such a
    URL as `url`, such as a `DatabaseManager`, or from an open read model. It opens when first used;
    `close` or `async with` ends its connections. Registered as `execution_tracker` of a run in
    library use it records that run, if it was made from a URL whose rows no log fills.
    """

    def __init__(self, source: Any, payload_store: str | None = None) -> None:
        """`payload_store` is only needed to resolve values that are stored apart.

        Raises:
            StoreRefused: the source is no database that rows can be kept in.
        """
        super().__init__(self._fold)
        url = url_of(source)
        self._model: ReadModel = source if url is None else read_model_for(url)
        self._projection = None if url is None else DirectProjection(store_for(url))
        self._reader = make_reader(payload_store)
        self._opening = asyncio.Lock()
        # Who gives a read model has opened it.
        self._is_open = url is None

    async def __aenter__(self) -> Self:
        await self._opened()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all connections; the next call opens them again."""
        if self._projection is None:
            await self._model.close()
            return
        await self._projection.close()
        if self._is_open:
            self._is_open = False
            await self._model.close()

    async def get_execution(self, execution_id: str, *, resolve: bool = False) -> Record | None:
        """Return one execution's record, or None; with `resolve` every stored value in its place,
        else a `StoredValue` that says what it is and whose `fetch` is to be awaited.

        Raises:
            NoPayloadStore, PayloadGone, PayloadTooLong, AlteredPayload: a value can't be had.
        """
        row = await (await self._opened()).execution(execution_id)
        if row is None:
            return None
        record = self._record(row, ExecutionRecord)
        return await with_values(self._reader, record) if resolve else record

    async def get_execution_steps(
        self, execution_id: str, *, resolve: bool = False
    ) -> list[Record]:
        """Return the records of an execution's visits to steps, in the order they began; `resolve`
        as in `get_execution`."""
        rows = await (await self._opened()).steps(execution_id)
        records = [self._record(row, StepRecord) for row in rows]
        return [
            await with_values(self._reader, record) if resolve else record for record in records
        ]

    async def get_recent_executions(
        self, limit: int = DEFAULT_PAGE_ROWS, pipeline_id: str | None = None
    ) -> list[Record]:
        """Return the newest executions' records, at most 500."""
        wanted = ExecutionFilter(limit=min(limit, MAX_PAGE_ROWS), pipeline_id=pipeline_id)
        rows: Sequence[Row] = await (await self._opened()).executions(wanted)
        return [self._record(row, ExecutionRecord) for row in rows]

    async def get_execution_statistics(self) -> Record:
        """Return counts and rates over all executions in the rows; durations in milliseconds."""
        found = await (await self._opened()).statistics()
        counts: dict[str, int] = found["counts"]
        total, completed = sum(counts.values()), counts.get("completed", 0)
        ended = completed + counts.get("failed", 0) + counts.get("cancelled", 0)
        return {
            "total_executions": total,
            "completed_executions": completed,
            "failed_executions": counts.get("failed", 0),
            "running_executions": counts.get("running", 0),
            "cancelled_executions": counts.get("cancelled", 0),
            "waiting_executions": counts.get("waiting_for_human", 0),
            "success_rate": completed / ended if ended else 0.0,
            "average_execution_time_ms": found["mean_completed_ms"],
        }

    def _record(self, row: Row, shape: type[ExecutionRecord | StepRecord]) -> Record:
        record, references = _record(row, shape), references_in(_value(row.get("references")))
        return placed(record, references, lambda one: StoredValue.of(one, self._fetched))

    async def _fetched(self, reference: DataRef) -> JsonValue:
        return json.loads(await self._reader.read(reference))

    async def _opened(self) -> ReadModel:
        async with self._opening:
            if not self._is_open:
                await self._model.open()
                self._is_open = True
            return self._model

    async def _fold(self, execution_id: str, events: Sequence[Event], cause: str | None) -> None:
        if self._projection is None:
            raise StoreRefused(
                "This tracker was made from an open read model and only reads; make it from the "
                "database's URL."
            )
        await self._projection.append(execution_id, events, cause)


def url_of(source: Any) -> str | None:
    """Return the database URL that a source is or has, None for an open read model."""
    url = source if isinstance(source, str) else getattr(source, "url", None)
    return url if isinstance(url, str) else None


def _record(row: Row, shape: type[ExecutionRecord | StepRecord]) -> Record:
    named = {name: _value(value) for name, value in row.items()}
    record = {name: named.pop(name) for name in shape.model_fields if name in named}
    if record.get("metadata") is None:
        record["metadata"] = {}
    return {**record, **named}


def _value(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    return format_time(value) if hasattr(value, "tzinfo") else value
