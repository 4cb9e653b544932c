"""Keeps a live worker from applying a log that lost records, and has it start again when mended."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from tracker_service.log.log_loss import LossCheck
from tracker_service.projections.errors import TrackerError

log = structlog.get_logger(__name__)

# Between two looks at the record before each position; the ends are compared every second.
LOOK_INTERVAL_S: Final = 10.0
# A broker that is away keeps nobody waiting for longer; the next look asks again.
LOOK_TIMEOUT_S: Final = 5.0


class LogWatch:
    """Partitions of this worker that lost records, and why; `lost` is shared and changes."""

    def __init__(self, check: LossCheck, start_again: Callable[[str], None]) -> None:
        """`start_again` ends the process, to begin from the positions as they are then."""
        self._check = check
        self._start_again = start_again
        self._looked_at_s: float | None = None
        self.lost: dict[int, str] = {}

    async def beat(self, known: Mapping[int, int], ends: Mapping[int, int], now_s: float) -> None:
        """Look at the log where it ends before a position known before, and now and then."""
        applied = {p: position for p, position in known.items() if p not in self.lost}
        due = self._looked_at_s is None or now_s - self._looked_at_s >= LOOK_INTERVAL_S
        if due or self._check.short(applied, ends):
            self._looked_at_s = now_s
            await self.look(list(known))
        elif self.lost:
            # Asked every time: somebody may have rebuilt the rows.
            await self.look([partition for partition in known if partition in self.lost])

    async def look(self, partitions: Sequence[int]) -> None:
        """Compare partitions with the log; keeps what is known where that can't be done now."""
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                lost = await self._check.run(partitions)
        except (TrackerError, TimeoutError) as error:
            log.info("the log can't be looked at", reason=str(error))
            return
        mended = sorted(p for p in partitions if p in self.lost and p not in lost)
        for partition in set(self.lost) - set(lost):
            del self.lost[partition]  # Mended, or another worker's now.
        self.lost.update(lost)
        if mended:
            self._start_again(f"The log of partitions {mended} fits the rows again; starting anew.")

    async def is_whole(self, partition: int) -> bool:
        """Look at one partition; False where it lost records. True while that can't be told."""
        whole = await self._check.is_whole(partition)
        if not whole:
            self.lost.setdefault(partition, "The log lost records.")
        return whole
