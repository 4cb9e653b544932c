"""A world for the claim protocol: real owners, writers, recovery and engine; a broker in our hands.

One partition, two or three executors in a group, a log whose appends arrive when the test says so.
Executors stall (nothing of theirs is delivered), crash (what they sent may still arrive) and lose
the partition without noticing. Everything runs on one event loop, without time.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from executor_service.admission.slots import ExecutionSlots
from executor_service.context import ExecutorContext
from executor_service.definitions.catalogue import DefinitionCatalogue
from executor_service.definitions.step_loader import Allowlist
from executor_service.partition.owner import PartitionOwner
from executor_service.partition.takeover import PartitionLogs, Takeover
from executor_service.ports.command_source import ReceivedRecord
from executor_service.ports.resume_point import ResumePoint
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import Record, SentCommand
from tests.executor.support.fakes import FakeEventLog, Flight, ManualClock, SharedLog, settle
from tests.verification import gated_steps

PARTITION = 0
# Few enough that commands wait, and begin in another order than they came.
CAPACITY = 2
FOR_EVER_S = 1e6
CALM_ROUNDS = 8


@dataclass(eq=False)
class Executor:
    """One process: maybe it owns the partition, maybe it only believes so."""

    name: str
    line: FakeEventLog | None = None
    taking: asyncio.Task[PartitionOwner] | None = None

    @property
    def owner(self) -> PartitionOwner | None:
        """Return what a takeover ended in."""
        taking = self.taking
        if taking is None or not taking.done() or taking.cancelled() or taking.exception():
            return None
        return taking.result()

    @property
    def lost(self) -> bool:
        """Whether the log refused a takeover, or took the partition away."""
        if self.owner is not None:
            return self.owner.lost.done()
        return self.taking is not None and self.taking.done()


@dataclass
class World:
    """Everything outside the executors: log, commands, the group and its commits."""

    executors: int = 2
    log: SharedLog = field(default_factory=lambda: SharedLog(held=True))
    parked: SharedLog = field(default_factory=SharedLog)
    seen: SharedLog = field(default_factory=SharedLog)
    clock: ManualClock = field(default_factory=ManualClock)
    commands: list[Record] = field(default_factory=list)
    committed: ResumePoint = field(default_factory=lambda: ResumePoint(0, 0, None))
    group_owner: int = 0
    members: list[Executor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.members = [Executor(f"executor-{number}") for number in range(self.executors)]

    def send(self, execution_id: str, command_id: str, priority: int = 0) -> None:
        """Put a command on the topic."""
        command = RunPipeline(
            execution_id=execution_id, definition=gated_steps.DEFINITION, priority=priority
        )
        sent = SentCommand(command_id, "/test", self.clock.now(), command)
        self.commands.append(encode_command(sent))

    def give_to(self, number: int) -> None:
        """The group moves the partition; the former owner does not know yet."""
        self.group_owner = number
        self._take_over(self.members[number])

    async def pause(self, number: int) -> None:
        """The group is about to decide: the owner starts nothing more until it has."""
        owner = self.members[number].owner
        if owner is not None:
            await owner.pause(grace_s=0.0, at_most_s=FOR_EVER_S)

    def shorten(self, number: int) -> None:
        """An owner sets down what runs, so that the mark can pass it."""
        owner = self.members[number].owner
        if owner is not None:
            owner.shorten_tail()

    async def notice(self, number: int) -> None:
        """An executor learns that the partition went elsewhere."""
        member = self.members[number]
        if number != self.group_owner and member.taking is not None:
            await self._drop(member)

    async def crash(self, number: int) -> None:
        """A process dies; what it sent may still arrive. It comes back empty."""
        member = self.members[number]
        self._kill(member)
        await self._drop(member)
        if number == self.group_owner:
            self._take_over(member)

    def feed(self, number: int) -> None:
        """Hand an executor its next command, if it believes to own the partition."""
        owner = self.members[number].owner
        if owner is None or not owner.live or owner.next_command >= len(self.commands):
            return
        offset = owner.next_command
        record = self.commands[offset]
        owner.receive([ReceivedRecord(PARTITION, offset, record.key, record.value, record.headers)])

    async def save_ids(self) -> None:
        """The group's owner saves the ids of what it dealt with."""
        owner = self.members[self.group_owner].owner
        if owner is not None:
            await owner.save_ids()

    def commit(self) -> None:
        """The group's owner commits; a former owner's commit is refused by the generation."""
        owner = self.members[self.group_owner].owner
        point = owner.commit_point() if owner is not None else None
        if point is not None:
            self.committed = point

    def deliver(self, flight: Flight) -> None:
        """Let an append arrive."""
        self.log.deliver(flight)

    async def heal(self) -> None:
        """End all trouble: deliver, feed and finish until nothing moves any more."""
        for number in range(len(self.members)):
            await self.notice(number)
        for _ in range(400):
            before = self._progress()
            await self._resume()
            self._take_over(self.members[self.group_owner])
            await self.renew()
            await settle()
            if self._progress() == before and not self.log.flights:
                return

    async def calm(self) -> None:
        """Deliver, feed and finish for a few rounds."""
        for _ in range(CALM_ROUNDS):
            await self._resume()

    async def _resume(self) -> None:
        for flight in list(self.log.flights):
            self.deliver(flight)
        await settle()
        gated_steps.open_all()
        self.feed(self.group_owner)

    async def renew(self) -> None:
        """Whoever lost the log's consent and still has the group's claims again."""
        for number, member in enumerate(self.members):
            if member.lost:
                await self._drop(member)
                if number == self.group_owner:
                    self._take_over(member)

    async def close(self) -> None:
        """Stop everything."""
        for member in self.members:
            await self._drop(member)

    def runs(self) -> Counter[tuple[str, str]]:
        """Return how often each step's code began to run."""
        return gated_steps.RUNS

    def _progress(self) -> tuple[int, int, int]:
        owner = self.members[self.group_owner].owner
        fed = owner.next_command if owner is not None and owner.live else -1
        return (len(self.log.partitions.get(PARTITION, [])), fed, sum(gated_steps.RUNS.values()))

    def _take_over(self, member: Executor) -> None:
        if member.owner is not None:
            member.owner.resume_run()
        if member.taking is not None:
            return  # It never noticed that the partition had been elsewhere.
        context = ExecutorContext(
            instance=member.name,
            catalogue=DefinitionCatalogue(Allowlist([gated_steps.__name__]), None),
            slots=ExecutionSlots(CAPACITY),
            clock=self.clock,
            partition_of=lambda _: PARTITION,
            set_aside=_set_aside,
        )

        member.line = FakeEventLog(self.log)
        logs = PartitionLogs(member.line, FakeEventLog(self.parked), FakeEventLog(self.seen))
        takeover = Takeover(PARTITION, logs, context)
        member.taking = asyncio.get_event_loop().create_task(takeover.run(self.committed))

    async def _drop(self, member: Executor) -> None:
        owner, taking = member.owner, member.taking
        member.taking = None
        if owner is not None:
            await owner.release()
        elif taking is not None:
            taking.cancel()
            await asyncio.wait([taking])

    def _kill(self, member: Executor) -> None:
        """Cut a process off from its acknowledgements: nothing of it may react to them."""
        for flight in self.log.flights:
            if flight.sender is member.line and not flight.acknowledged.done():
                flight.acknowledged.cancel()


async def _set_aside(record: ReceivedRecord, reason: str) -> None:
    raise AssertionError(f"no command of this world is unreadable: {reason}")
