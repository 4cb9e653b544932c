"""What an executor knows of its logs against what they hold: at a takeover, and every second after.

A log loses acknowledged records when all replicas lose their newest ones (a power cut, an unclean
election) or when its topic is replaced. Nothing fails then: offsets begin again further down. What
an owner remembered of lost events would be wrong for ever, so it is dropped, and everything the log
holds is read again from its beginning. Lost *commands* are another matter: whether they were
carried out can't be known, so the partition stands still until a person says where to begin.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from executor_service.errors import ExecutorError
from executor_service.partition.owner import PartitionOwner
from executor_service.ports.event_log import EventLog
from executor_service.ports.last_record import loss_of
from executor_service.ports.resume_point import ResumePoint

# A new leader may answer with an older end for a moment, so a short log is asked about twice.
ASK_AGAIN_AFTER_S: Final = 0.2
_REMEDY: Final = (
    "the executor reads the log again by itself; `steplog rebuild` makes the rows fit it: see "
    '"The log lost records" in the runbook'
)

_log = structlog.get_logger(__name__)
Owners = Callable[[], Mapping[int, PartitionOwner]]


class CommandsLost(ExecutorError):
    """The commands topic does not hold what the group has committed; a person must decide."""


class LogCheck:
    """The logs of one executor, compared with what is known of them."""

    def __init__(self, events: EventLog, parked: EventLog, seen: EventLog) -> None:
        self.commands: EventLog | None = None  # Where commands can't be lost by themselves.
        self._events = events
        self._parked = parked
        self._seen = seen

    async def sound(
        self, partition: int, point: ResumePoint, *, known_lost: bool = False
    ) -> ResumePoint:
        """Return the point to take over from: the one given, or after a loss one from the start.

        It is to be committed before anything is appended: appends would hide the loss.

        Raises:
            CommandsLost: the commands topic lost records.
        """
        last = point.last
        if self.commands is not None:
            loss = await loss_of(
                self.commands, "commands", partition, last.commands, point.command_offset
            )
            loss = loss or await self.removed_commands(partition, point.command_offset)
            if loss is not None:
                raise CommandsLost(
                    f"{loss} Commands may be lost, and those that came since may be passed over: "
                    "stop the executors, say where to begin with `steplog commands reset`, and "
                    "start them again."
                )
        needed = max(point.mark, point.ids_through)
        found = await asyncio.gather(
            loss_of(self._events, "events", partition, last.events, needed),
            loss_of(self._parked, "parked executions", partition, last.parked),
            loss_of(self._seen, "seen ids", partition, last.seen, point.ids_from),
        )
        losses = [loss for loss in found if loss is not None]
        if not losses and not known_lost:
            return point
        _log.error("log_lost_records", partition=partition, found=losses, remedy=_REMEDY)
        return point.from_the_beginning(await self._seen.end_offset(partition))

    async def removed_commands(self, partition: int, wanted: int) -> str | None:
        """Return a sentence if commands were removed before they were taken.

        A group that has never committed begins with what there is.
        """
        if self.commands is None or wanted == 0:
            return None
        begin = await self.commands.begin_offset(partition)
        if wanted >= begin:
            return None
        return (
            f"The commands {wanted} to {begin - 1} of partition {partition} were removed before "
            "they were taken."
        )

    async def lost_partitions(self, owners: Mapping[int, PartitionOwner]) -> dict[int, str]:
        """Return the partitions of which a log ends before what their owner knows, and why."""
        short = await self._short(owners)
        if not short:
            return {}
        await asyncio.sleep(ASK_AGAIN_AFTER_S)
        return await self._short({partition: owners[partition] for partition in short})

    async def _short(self, owners: Mapping[int, PartitionOwner]) -> dict[int, str]:
        reached = {
            partition: known
            for partition, owner in owners.items()
            if (known := owner.reached()) is not None
        }
        found: dict[int, str] = {}
        for name, log in self._named():
            ends = await log.ends(reached)
            for partition, known in reached.items():
                if partition in ends and ends[partition] < known[name]:
                    found[partition] = (
                        f"The {name} of partition {partition} reached offset {known[name]} and "
                        f"end at {ends[partition]} now."
                    )
        return found

    def _named(self) -> list[tuple[str, EventLog]]:
        named = [("events", self._events), ("parked", self._parked), ("seen", self._seen)]
        return named if self.commands is None else [*named, ("commands", self.commands)]


class LogWatch:
    """Has the partitions of this process compared with their logs, one look at a time."""

    def __init__(self, check: LogCheck, owners: Owners) -> None:
        self._check = check
        self._owners = owners
        self._looking: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin a look, unless one is under way."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self.look())

    async def look(self) -> None:
        """Have every owner whose log lost records know it."""
        owners = {number: owner for number, owner in self._owners().items() if owner.live}
        try:
            lost = await self._check.lost_partitions(owners)
        except Exception as error:  # The broker is away: the next look asks again.
            _log.info("ends_not_known", reason=str(error))
            return
        for partition, sentence in lost.items():
            owners[partition].lose_log(sentence)

    def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
