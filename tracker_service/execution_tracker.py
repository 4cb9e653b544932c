"""`ExecutionTracker`: the one reader of history in code, over whichever read model there is.

The library that steplog replaces had a class of this name that wrote rows as well; here rows are
made from the log alone, and this side only reads.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from steplog_contracts.envelope import format_time
from steplog_contracts.records import ExecutionRecord, StepRecord
from tracker_service.payload_reader import make_reader, with_values
from tracker_service.store.opening import read_model_for
from tracker_service.store.reading import (
    DEFAULT_PAGE_ROWS,
    MAX_PAGE_ROWS,
    ExecutionFilter,
    ReadModel,
    Row,
)

Record = dict[str, Any]


class ExecutionTracker:
    """Reads executions and their steps as records: dicts with the published keys, in order.

    Made from a read model, from a database URL (`postgresql://...` or `sqlite:///file`), or from
    anything that has such a URL as `url`, such as a database manager.
    """

    def __init__(self, source: Any, payload_store: str | None = None) -> None:
        """`payload_store` is only needed to resolve values that are stored apart."""
        self._model = read_model_of(source)
        self._reader = make_reader(payload_store)

    async def __aenter__(self) -> Self:
        await self._model.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._model.close()

    async def get_execution(self, execution_id: str, *, resolve: bool = False) -> Record | None:
        """Return one execution's record, or None; with `resolve` every stored value in its place.

        Raises:
            NoPayloadStore, PayloadGone, PayloadTooLong, AlteredPayload: a value can't be had.
        """
        row = await self._model.execution(execution_id)
        if row is None:
            return None
        record = _record(row, ExecutionRecord)
        return await with_values(self._reader, record) if resolve else record

    async def get_execution_steps(
        self, execution_id: str, *, resolve: bool = False
    ) -> list[Record]:
        """Return the records of an execution's visits to steps, in the order they began; `resolve`
        as in `get_execution`."""
        rows = await self._model.steps(execution_id)
        records = [_record(row, StepRecord) for row in rows]
        return [
            await with_values(self._reader, record) if resolve else record for record in records
        ]

    async def get_recent_executions(
        self, limit: int = DEFAULT_PAGE_ROWS, pipeline_id: str | None = None
    ) -> list[Record]:
        """Return the newest executions' records, at most 500."""
        wanted = ExecutionFilter(limit=min(limit, MAX_PAGE_ROWS), pipeline_id=pipeline_id)
        rows: Sequence[Row] = await self._model.executions(wanted)
        return [_record(row, ExecutionRecord) for row in rows]

    async def get_execution_statistics(self) -> Record:
        """Return counts and rates over all executions in the rows; durations in milliseconds."""
        found = await self._model.statistics()
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


def read_model_of(source: Any) -> ReadModel:
    """Return the read model a source stands for; it still has to be opened if made from a URL."""
    url = source if isinstance(source, str) else getattr(source, "url", None)
    if not isinstance(url, str):
        model: ReadModel = source
        return model
    return read_model_for(url)


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
