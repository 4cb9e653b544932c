"""The executor's main loop: take commands for the partitions it owns, commit what is done with.

Partitions stay with their owner object through a rebalance that gives them back: only the log can
take them away. Each partition is asked for as many commands as it has room for; the rest stays in
Kafka, and polling goes on meanwhile, so long steps never cost the membership.
"""

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import structlog

from executor_service.context import ExecutorContext
from executor_service.engine.error_text import text_of
from executor_service.partition.log_check import CommandsLost, LogCheck, LogWatch
from executor_service.partition.owner import PartitionOwner
from executor_service.partition.takeover import PartitionLogs, Takeover
from executor_service.ports.command_source import CommandSource
from executor_service.ports.event_log import EventLog
from executor_service.ports.resume_point import ResumePoint
from executor_service.runtime.cancellation import is_own_end
from executor_service.runtime.step_threads import step_threads
from steplog_contracts.errors import SteplogError

POLL_TIMEOUT_MS = 200
# While no partition takes any more: how long until the membership is shown to be alive again.
FULL_WAIT_S = 1.0
RETRY_DELAY_S = 1.0
# Between two looks at a partition that waits for a person.
REFUSED_DELAY_S = 5.0
MAX_RETRY_DELAY_S = 30.0
# When partitions may move: how long running steps may take to end before the group goes on, and how
# long no other starts while it is undecided. A dead member can keep it so for a whole session.
HANDOVER_GRACE_S = 2.0
MAX_PAUSE_S = 3.0

_log = structlog.get_logger(__name__)


class CommandConsumer:
    """Owns whatever partitions the group assigns; satisfies `AssignmentListener`."""

    def __init__(
        self,
        source: CommandSource,
        events: EventLog,
        parked: EventLog,
        seen: EventLog,
        context: ExecutorContext,
        *,
        commit_interval_s: float,
        handover_grace_s: float = HANDOVER_GRACE_S,
        ready_file: Path | None = None,
    ) -> None:
        self._source = source
        self._logs = PartitionLogs(events, parked, seen)
        self._context = context
        self._commit_interval_s = commit_interval_s
        self._handover_grace_s = handover_grace_s
        self._ready_file = ready_file
        self._assigned: set[int] = set()
        self._member = False
        self._owners: dict[int, PartitionOwner] = {}
        self._holding: dict[int, asyncio.Task[None]] = {}  # Every partition assigned has one.
        self._committed: dict[int, ResumePoint] = {}
        self._check = LogCheck(events, parked, seen)
        self._watch = LogWatch(self._check, lambda: self._owners)
        self._standing_still: dict[int, str] = {}  # Partitions a person must look at, and why.
        self.takeovers = 0  # Since the process began.
        self._full = False
        self._polled_at = 0.0
        # Clear while the group decides: a commit then would make the client join once more.
        self._decided = asyncio.Event()
        self._decided.set()

    @property
    def trouble(self) -> str | None:
        """Return what keeps commands from being carried out until somebody looks; None: nothing."""
        for partition, reason in self._standing_still.items():
            return f"Partition {partition} can't be taken over: {reason}"
        if step_threads().exhausted:
            return "Plain steps that never return hold every thread; restart this process."
        return None

    def owned(self) -> dict[int, PartitionOwner]:
        """Return the partitions that are held now; may be asked from any thread."""
        return dict(self._owners)

    def stuck_partitions(self) -> list[int]:
        """Return the partitions that can't be taken over until somebody looks."""
        return list(self._standing_still)

    def unready(self) -> str | None:
        """Return why no commands are taken at the moment, None while they are."""
        if self.trouble is not None:
            return self.trouble
        # A member that the group gives nothing is ready too: it stands by for one that dies.
        if self._owners or (self._member and not self._assigned):
            return None
        return "No partition is taken over yet; if this lasts, the log says why."

    def check_commands(self, log: EventLog) -> None:
        """Have the commands topic, read through `log`, watched for lost records as well."""
        self._check.commands = log

    async def run(self, stopping: asyncio.Event) -> None:
        """Take and run commands until told to stop."""
        next_commit = 0.0
        while not stopping.is_set():
            await self._poll()
            if time.monotonic() >= next_commit and self._decided.is_set():
                self._watch.begin()
                for owner in list(self._owners.values()):
                    owner.save_ids_if_due()
                    owner.shorten_tail()
                await self._commit(self._owners)
                self._show_ready()
                next_commit = time.monotonic() + self._commit_interval_s

    async def stop(self, grace_s: float) -> None:
        """Let running steps finish, hand the rest over through the log, commit what is done."""
        self._context.admission.close()
        self._watch.stop()
        for holding in list(self._holding.values()):
            holding.cancel()
        owners = list(self._owners.values())
        await asyncio.gather(*(owner.drain(grace_s) for owner in owners))
        await self._commit(self._owners)
        await asyncio.gather(*(owner.release() for owner in owners))

    async def revoked(self, partitions: Iterable[int]) -> None:
        """Bring steps to an end and commit while that still counts; `assigned` ends the pause."""
        owners = [self._owners[p] for p in partitions if p in self._owners]
        await asyncio.gather(*(o.pause(self._handover_grace_s, MAX_PAUSE_S) for o in owners))
        self._decided.clear()
        await self._commit(partitions)

    async def assigned(self, partitions: Iterable[int]) -> None:
        """Release what went elsewhere, keep what stayed, take over what is new."""
        self._assigned = set(partitions)
        self._member = True
        self._decided.set()
        _log.info("partitions_assigned", partitions=sorted(self._assigned))
        for partition in (self._owners.keys() | self._holding.keys()) - self._assigned:
            await self._forget(partition)
        for partition in sorted(self._assigned):
            owner = self._owners.get(partition)
            if partition not in self._holding:
                self._hold(partition)
            elif owner is not None and owner.live:
                owner.resume_run()
                self._feed(partition, owner)

    def _feed(self, partition: int, owner: PartitionOwner) -> None:
        self._source.seek(partition, owner.next_command)
        if not self._full:
            self._source.resume([partition])

    def _hold(self, partition: int) -> None:
        holding = asyncio.create_task(self._own(partition))
        self._holding[partition] = holding
        holding.add_done_callback(partial(self._held_no_more, partition))

    def _held_no_more(self, partition: int, holding: asyncio.Task[None]) -> None:
        # A task that was cancelled may end after another has its place.
        if self._holding.get(partition) is holding:
            del self._holding[partition]

    async def _own(self, partition: int) -> None:
        """Take a partition over while it is assigned, and again whenever its log takes it away."""
        log_lost = False
        while partition in self._assigned:
            owner = await self._take_over(partition, log_lost=log_lost)
            if owner is None:
                return
            self._standing_still.pop(partition, None)
            await asyncio.wait([owner.lost])  # To await it would cancel it with this task.
            _log.warning("partition_lost", partition=partition, reason=owner.lost.result())
            self._source.pause([partition])
            await owner.release()
            if self._owners.get(partition) is owner:
                del self._owners[partition]
            log_lost = owner.log_lost

    async def _take_over(self, partition: int, *, log_lost: bool) -> PartitionOwner | None:
        """Take a partition over, again and again while anything keeps it from that; None once it
        is not assigned any more."""
        delay_s = RETRY_DELAY_S
        while partition in self._assigned:
            await self._decided.wait()
            try:
                point = await self._source.resume_point(partition)
                point = await self._check.sound(partition, point, known_lost=log_lost)
                if await self._source.commit({partition: point}):
                    log_lost = False  # The point committed says it now.
                    return await self._taken(partition, point)
            except CommandsLost as error:
                self._standing_still[partition] = str(error)
                _log.error("commands_lost", partition=partition, reason=str(error))
                await asyncio.sleep(REFUSED_DELAY_S)
            except (SteplogError, OSError, RuntimeError) as error:
                _log.warning("takeover_postponed", partition=partition, reason=str(error))
            except BaseException as error:  # Whatever a log holds: said, and tried again.
                if is_own_end(error):
                    raise
                self._standing_still[partition] = text_of(error)
                _log.exception("takeover_failed", partition=partition)
                delay_s = min(2 * delay_s, MAX_RETRY_DELAY_S)
            await asyncio.sleep(delay_s)
        return None

    async def _taken(self, partition: int, point: ResumePoint) -> PartitionOwner:
        owner = await Takeover(partition, self._logs, self._context).run(point)
        try:
            self._feed(partition, owner)
        except BaseException:  # The group decides anew just now: the client has no such partition.
            await owner.release()
            raise
        self._owners[partition] = owner
        self.takeovers += 1
        return owner

    async def _forget(self, partition: int) -> None:
        holding = self._holding.pop(partition, None)
        if holding is not None:
            holding.cancel()
        self._committed.pop(partition, None)
        self._standing_still.pop(partition, None)
        owner = self._owners.pop(partition, None)
        if owner is not None:
            await owner.release()

    async def _poll(self) -> None:
        room = self._room()
        if self._owners and not room:
            await self._wait_for_room()
            return
        if self._full:
            self._full = False
            self._source.resume(p for p, owner in self._owners.items() if owner.live)
        self._polled_at = time.monotonic()
        fetched = await self._source.poll(room, POLL_TIMEOUT_MS)
        for partition, records in fetched.items():
            owner = self._owners.get(partition)
            if owner is None or not owner.live or not records:
                continue
            if await self._are_next(owner, records[0].offset):
                await owner.deliver(records)

    async def _are_next(self, owner: PartitionOwner, offset: int) -> bool:
        """Return whether commands from an offset on are the next; else the topic lost some, and the
        partition is looked at anew."""
        due = owner.next_command
        if offset == due:
            return True
        loss = f"The commands of partition {owner.partition} begin again at {offset}."
        if offset > due:  # Or these offsets never were commands.
            loss = await self._check.removed_commands(owner.partition, due) or ""
        if loss:
            owner.lose_log(loss)
        return not loss

    def _room(self) -> dict[int, int]:
        """Return how many commands each partition takes, as soon as that is worth a call."""
        free = {partition: owner.free for partition, owner in self._owners.items() if owner.live}
        overdue = time.monotonic() - self._polled_at > FULL_WAIT_S
        least = 1 if overdue else max(1, self._context.max_waiting_commands // 2)
        return {partition: count for partition, count in free.items() if count >= least}

    async def _wait_for_room(self) -> None:
        await self._context.admission.wait_for_move(FULL_WAIT_S)
        if self._room() or time.monotonic() - self._polled_at < FULL_WAIT_S:
            return
        # Only now: pausing throws away what the client has fetched.
        if not self._full:
            self._full = True
            self._source.pause(self._owners)
        self._polled_at = time.monotonic()
        await self._source.poll({}, 0)  # Everything is paused: this only shows a sign of life.

    async def _commit(self, partitions: Iterable[int]) -> None:
        points = {}
        for partition in list(partitions):
            owner = self._owners.get(partition)
            point = owner.commit_point() if owner is not None else None
            if point is not None and point != self._committed.get(partition):
                points[partition] = point
        if points and await self._source.commit(points):
            self._committed.update(points)

    def _show_ready(self) -> None:
        if self._ready_file is not None and self.unready() is None:
            self._ready_file.touch()
