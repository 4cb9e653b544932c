"""The SQL of lists and counts of executions, for both databases.

A list walks one index in its order and stops early. By start that is one walk per status where
statuses or a pipeline are asked for, merged; statuses are constants here, so planners know how rare
each is. What no index serves is checked on the rows walked over, at most `SCAN_ROWS` a page.
"""

from collections.abc import Iterator
from typing import Final

from steplog_contracts.records import FINAL_EXECUTION_STATUSES, ExecutionStatus
from tracker_service.projections.event_structs import column_text
from tracker_service.store.queries import COUNT_ROWS, SCAN_ROWS, ExecutionFilter, Sort
from tracker_service.store.sql import records
from tracker_service.store.sql.dialect import Arguments, Dialect

Statement = tuple[str, Arguments]

STATUSES: Final = tuple(status.value for status in ExecutionStatus)
_ENDED: Final = tuple(sorted(status.value for status in FINAL_EXECUTION_STATUSES))
COLUMN_OF: Final = {
    Sort.STARTED_AT: "started_at",
    Sort.COMPLETED_AT: "completed_at",
    Sort.DURATION: "execution_time_ms",
}
_WAITING: Final = "execution_id IN (SELECT execution_id FROM interactions WHERE status = 'pending')"


class ExecutionList:
    """One question for executions, as SQL of a dialect."""

    def __init__(self, wanted: ExecutionFilter, dialect: Dialect) -> None:
        self._wanted = wanted
        self._dialect = dialect
        self._column = COLUMN_OF[wanted.sort]
        way = "DESC" if wanted.descending else "ASC"
        self._order = f"ORDER BY {self._column} {way}, execution_id {way}"

    def page(self) -> Statement:
        """Return the statement for one row more than the page has."""
        values = Arguments()
        columns = records.EXECUTION_BRIEF if self._wanted.brief else records.EXECUTION
        checked = next(self._checks(Arguments()), None) is not None
        walk = self._walk(columns, values, SCAN_ROWS if checked else self._wanted.limit + 1)
        checks = list(self._checks(values))
        if not checks:
            return f"{walk} {self._order} LIMIT {self._wanted.limit + 1}", values
        # Names, statuses and limits are constants or numbers; values travel as arguments.
        return (
            f"SELECT * FROM ({walk} {self._order} LIMIT {SCAN_ROWS}) AS walked "  # noqa: S608
            f"WHERE {' AND '.join(checks)} {self._order} LIMIT {self._wanted.limit + 1}"
        ), values

    def end_of_scan(self) -> Statement | None:
        """Return the statement for the last row a checked page may walk over, if it is checked."""
        values = Arguments()
        if not list(self._checks(Arguments())):
            return None
        walk = self._walk(f"{self._column}, execution_id", values, SCAN_ROWS)
        return f"{walk} {self._order} LIMIT 1 OFFSET {SCAN_ROWS - 1}", values

    def counts(self) -> Statement:
        """Return the statement for status, rows looked at and rows found, per status."""
        values = Arguments()
        checks = " AND ".join(self._checks(values))
        needed = "status, execution_id, execution_time_ms, error_message, metadata, definition_hash"
        counted = f"sum(CASE WHEN {checks} THEN 1 ELSE 0 END)" if checks else "count(*)"
        parts = []
        for status in self._wanted.statuses or STATUSES:
            looked_at = self._select(needed if checks else "1", values, [f"status = '{status}'"])
            parts.append(
                f"SELECT '{status}' AS status, count(*) AS looked_at, {counted} AS found "  # noqa: S608
                f"FROM ({looked_at} LIMIT {COUNT_ROWS}) AS looked_at"
            )
        return " UNION ALL ".join(parts), values

    def _walk(self, columns: str, values: Arguments, rows: int) -> str:
        """Return the rows in question without what has to be checked, not yet ordered.

        Each status is ordered and bounded by itself: planners merge what comes in order, but don't
        see by themselves that a merge would do.
        """
        if self._wanted.sort is not Sort.STARTED_AT:
            return self._select(columns, values, [f"{self._column} IS NOT NULL"])
        if not self._wanted.statuses and self._wanted.pipeline_id is None:
            return self._select(columns, values, ["true"])
        statuses = self._wanted.statuses or STATUSES
        walks = [self._select(columns, values, [f"status = '{status}'"]) for status in statuses]
        if len(walks) == 1:
            return walks[0]
        return " UNION ALL ".join(
            f"SELECT * FROM ({walk} {self._order} LIMIT {rows}) AS walk_{number}"  # noqa: S608
            for number, walk in enumerate(walks)
        )

    def _select(self, columns: str, values: Arguments, given: list[str]) -> str:
        wanted = self._wanted
        conditions = [*given, *self._range(values)]
        if wanted.sort is Sort.STARTED_AT and wanted.pipeline_id is not None:
            conditions.append(f"pipeline_id = {values.add(wanted.pipeline_id)}")
        return f"SELECT {columns} FROM pipeline_executions WHERE {' AND '.join(conditions)}"  # noqa: S608

    def _range(self, values: Arguments) -> Iterator[str]:
        """Yield conditions on the column the list is ordered by."""
        wanted = self._wanted
        if wanted.sort is Sort.STARTED_AT:
            yield from self._started(values)
        elif wanted.sort is Sort.DURATION:
            yield from self._lasted(values)
        if wanted.after is not None:
            place, execution_id = wanted.after
            beyond = "<" if wanted.descending else ">"
            yield (
                f"({self._column}, execution_id) {beyond} "
                f"({values.add(place)}, {values.add(execution_id)})"
            )

    def _checks(self, values: Arguments) -> Iterator[str]:
        """Yield conditions to check row by row."""
        wanted = self._wanted
        if wanted.sort is not Sort.STARTED_AT:
            yield from self._started(values)
            if wanted.pipeline_id is not None:
                yield f"pipeline_id = {values.add(wanted.pipeline_id)}"
            if wanted.statuses and set(wanted.statuses) != set(_ENDED):
                yield f"status IN ({', '.join(repr(status) for status in wanted.statuses)})"
        if wanted.sort is not Sort.DURATION:
            yield from self._lasted(values)
        if wanted.error_text is not None:
            part = f"lower({values.add(wanted.error_text)})"
            yield f"{self._dialect.place_in('lower(error_message)', part)} > 0"
            if wanted.error_not_of:
                hidden = values.add(self._dialect.listed(wanted.error_not_of))
                among = self._dialect.among("definition_hash", hidden)
                yield f"(definition_hash IS NULL OR NOT ({among}))"
        for key, text in wanted.metadata:
            found = self._dialect.metadata_text("metadata", values.add(column_text(key)))
            yield f"{found} = {values.add(column_text(text))}"
        if wanted.waiting is not None:
            yield _WAITING if wanted.waiting else f"NOT ({_WAITING})"

    def _started(self, values: Arguments) -> Iterator[str]:
        if self._wanted.started_from is not None:
            yield f"started_at >= {values.add(self._wanted.started_from)}"
        if self._wanted.started_before is not None:
            yield f"started_at < {values.add(self._wanted.started_before)}"

    def _lasted(self, values: Arguments) -> Iterator[str]:
        if self._wanted.min_duration_ms is not None:
            yield f"execution_time_ms >= {values.add(self._wanted.min_duration_ms)}"
        if self._wanted.max_duration_ms is not None:
            yield f"execution_time_ms <= {values.add(self._wanted.max_duration_ms)}"
