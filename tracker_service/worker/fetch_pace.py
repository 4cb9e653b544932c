"""How long records may gather at the client before they are fetched.

Whatever is written together costs less: fewer round trips, and an execution that moved twice gets
one row write. So under load fetches keep a distance, which is a small share of the delay that is
promised (100 ms). A lone record is fetched at once, and so is a backlog: more than a full batch
that is known to be there already.
"""

from collections.abc import Callable
from math import exp
from typing import Final

# Between two fetches under load; adds half of it to the mean delay.
GATHER_S: Final = 0.02
# Below this many records a second a fetch is made as soon as there is something.
QUIET_RECORDS_PER_S: Final = 1000.0
# How much of the past the rate is taken over.
MEMORY_S: Final = 0.5


class FetchPace:
    """Told of each fetch; says how long to wait before the next. The clock counts seconds."""

    def __init__(self, clock: Callable[[], float], full_records: int) -> None:
        self._clock = clock
        self._full_records = full_records
        self._last_s = clock()
        self._left = 0
        self._recent = 0.0

    def fetched(self, records: int, left: int) -> None:
        """Note a fetch that brought so many records and left so many for the next."""
        now_s = self._clock()
        self._recent = self._recent * exp((self._last_s - now_s) / MEMORY_S) + records
        self._last_s, self._left = now_s, left

    def wait_s(self) -> float:
        """Return the seconds until the next fetch is due."""
        if self._recent / MEMORY_S < QUIET_RECORDS_PER_S or self._left > self._full_records:
            return 0.0
        return max(0.0, self._last_s + GATHER_S - self._clock())
