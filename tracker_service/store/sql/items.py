"""Questions to the rows about the items of maps: counted, and page by page; both databases.

An item's row has its map's id and its own place in its `step_id`, so the items of a map lie beside
each other in the key: between `each[` and `each\\`, the character that follows `[`.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from steplog_contracts.item_ids import map_of
from tracker_service.projections.state import Visit
from tracker_service.store.queries import Row
from tracker_service.store.sql import as_of_steps

MAX_ITEM_ROWS: Final = 1_000
# Visits to maps that are counted for one answer.
MAX_COUNTS: Final = 10_000

_MAP: Final = "substr(step_id, 1, length(step_id) - length(CAST(item_index AS text)) - 2)"
_COUNTS: Final = f"""
SELECT {_MAP} AS map_id, iteration, {{status}} AS stood, count(*) AS items
FROM step_executions AS v WHERE execution_id = {{execution}} AND item_index IS NOT NULL {{opened}}
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT {MAX_COUNTS}
"""  # noqa: S608 - made of constants
_NOW: Final = _COUNTS.format(status="status", execution="$1", opened="")
_THEN: Final = _COUNTS.format(
    status=as_of_steps.STATUS, execution="$2", opened="AND opened_at <= $1"
)

# Of each visit to a map, its items by status.
Counts = dict[tuple[str, int], dict[str, int]]
Fetch = Callable[..., Awaitable[Sequence[Row]]]


class ItemRows:
    """The items of maps, over one statement runner; each method may raise `StoreUnavailable`."""

    def __init__(self, fetch: Fetch, columns: Callable[[str], str]) -> None:
        """`columns` is the select list of a table's records."""
        self._fetch = fetch
        self._columns = columns

    async def page(
        self,
        execution_id: str,
        map_id: str,
        iteration: int,
        *,
        after: int = -1,
        status: str | None = None,
        limit: int = MAX_ITEM_ROWS,
    ) -> Sequence[Row]:
        """Return visits to items in the items' order, those that have begun."""
        values: list[Any] = [execution_id, f"{map_id}[", f"{map_id}\\", iteration, after, limit]
        narrowed = ""
        if status is not None:
            values.append(status)
            narrowed = "AND status = $7 "
        rows = await self._fetch(
            f"SELECT {self._columns('step_executions')} FROM step_executions "  # noqa: S608
            "WHERE execution_id = $1 AND step_id > $2 AND step_id < $3 AND iteration = $4 "
            f"AND item_index > $5 {narrowed}ORDER BY item_index LIMIT $6",
            *values,
        )
        return with_counts(rows, {})

    async def counted(
        self, execution_id: str, visits: Sequence[Row], at: datetime | None = None
    ) -> Sequence[Row]:
        """Return visits with `item_counts`: of a map's, how many items stand, or stood, how."""
        if all(visit["item_count"] is None for visit in visits):
            return with_counts(visits, {})  # Items are many rows: counted where there are any.
        if at is None:
            rows = await self._fetch(_NOW, execution_id)
        else:
            rows = await self._fetch(_THEN, at, execution_id)
        counts: Counts = {}
        for row in rows:
            of_map = counts.setdefault((row["map_id"], row["iteration"]), {})
            of_map[row["stood"]] = row["items"]
        return with_counts(visits, counts)


def counts_of(visits: Iterable[Visit]) -> Counts:
    """Return how many items of each visit to a map stand how, of visits as a fold has them."""
    counts: Counts = {}
    for visit in visits:
        if visit.item_index is not None:
            of_map = counts.setdefault((map_of(visit.step_id), visit.iteration), {})
            of_map[visit.status] = of_map.get(visit.status, 0) + 1
    return counts


def with_counts(visits: Sequence[Row], counts: Counts) -> Sequence[Row]:
    """Return the visits, each map's with the counts of its items by status."""
    return [
        visit | {"item_counts": None if visit["item_count"] is None else _of(visit, counts)}
        for visit in visits
    ]


def _of(visit: Row, counts: Counts) -> dict[str, int]:
    return dict(sorted(counts.get((visit["step_id"], visit["iteration"]), {}).items()))
