"""One event, read: where it stands in its execution's history and what it says."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from tracker_service.projections.event_structs import Lens

_ONE_MS: Final = timedelta(milliseconds=1)


class Fact(Struct, gc=False):
    """The next event of an execution, as the folds take it."""

    execution_id: str
    partition: int
    seq: int
    offset: int
    time: datetime
    causation_id: str | None
    payload: Lens


def duration(told_ms: float, begun: datetime | None, ended: datetime) -> float | None:
    """Return milliseconds with three decimals: as told, else between the two times."""
    if told_ms > 0.0:
        return round(told_ms, 3)
    return None if begun is None else round(max(0.0, (ended - begun) / _ONE_MS), 3)
