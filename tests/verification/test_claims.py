"""The claim protocol, searched: the real code under any interleaving of trouble.

Model: `claims_world`. Invariants: docs/claims.md, I1 to I5. Left out on purpose: several partitions
(they share nothing but slots) and the broker losing acknowledged records (acks=all excludes it).
Planted bugs show that the search can fail.
"""

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from executor_service.dedupe.seen_ids import SeenIds
from executor_service.dedupe.seen_ids_store import SeenIdsStore
from executor_service.live import checkpointer
from executor_service.log.low_water_mark import LowWaterMark
from executor_service.log.writer import PartitionWriter
from steplog_contracts.envelope import NO_SEQ, RecordedEvent
from steplog_contracts.epoch import EpochRule
from steplog_contracts.events import StepStarted
from tests.e2e.histories import judge
from tests.executor.support.fakes import settle
from tests.verification import gated_steps
from tests.verification.claims_world import World

# A longer search: STEPLOG_SEARCH_EXAMPLES=5000 pytest tests/verification/test_claims.py
SEARCH = settings(
    max_examples=int(os.environ.get("STEPLOG_SEARCH_EXAMPLES", "120")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
# A planted bug has only to be found, not to be made small.
HUNT = settings(SEARCH, max_examples=2_000, phases=[Phase.generate])


@pytest.fixture(autouse=True)
def everything_runs_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an owner set down whatever runs, however short the tail is."""
    monkeypatch.setattr(checkpointer, "MAX_BEHIND_EVENTS", 0)


class ClaimMachine(RuleBasedStateMachine):
    """Two executors, one partition, executions with a fork and a join."""

    executors = 2
    sent = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        gated_steps.reset()
        self.world = World(self.executors)
        self.expected: set[str] = set()

    def go(self, work: Any = None) -> None:
        """Run a coroutine, then everything it set free."""
        if work is not None:
            self.loop.run_until_complete(work)
        self.loop.run_until_complete(settle())

    @initialize(target=sent, under_way=st.booleans())
    def begin(self, under_way: bool) -> Any:
        """The first executor is given the partition; maybe an execution runs there already."""
        self.loop.run_until_complete(self._give(0))
        if not under_way:
            return multiple()
        self.deliver_all()
        execution_id = self._send()
        self.feed(0)
        self.deliver_all()
        return execution_id

    async def _give(self, number: int) -> None:
        self.world.give_to(number)
        await settle()

    @rule(target=sent, priority=st.integers(0, 2))
    def send(self, priority: int) -> str:
        """A new command arrives on the topic; a higher priority overtakes those that wait."""
        return self._send(priority)

    def _send(self, priority: int = 0) -> str:
        execution_id = f"e-{len(self.expected)}"
        self.expected.add(execution_id)
        self.world.send(execution_id, f"c-{execution_id}", priority)
        return execution_id

    @rule(execution_id=sent)
    def send_again(self, execution_id: str) -> None:
        """A client is not sure and sends the same command once more."""
        self.world.send(execution_id, f"c-{execution_id}")

    @rule(number=st.integers(0, 2))
    def feed(self, number: int) -> None:
        """An executor is handed its next command."""

        async def hand_over() -> None:
            self.world.feed(number % self.executors)

        self.go(hand_over())

    @rule(index=st.integers(0, 5))
    def deliver(self, index: int) -> None:
        """Any append in flight arrives, in any order."""
        flights = self.world.log.flights
        if flights:
            self.world.deliver(flights[index % len(flights)])
            self.go()

    @rule()
    def deliver_all(self) -> None:
        """The network is quick for once: everything in flight arrives in order."""
        for flight in list(self.world.log.flights):
            self.world.deliver(flight)
        self.go()

    @rule(index=st.integers(0, 5))
    def finish_a_step(self, index: int) -> None:
        """A running step returns."""
        gated_steps.open_gate(index)
        self.go()

    @rule(number=st.integers(0, 2))
    def move(self, number: int) -> None:
        """The group gives the partition to another executor."""
        self.go(self._give(number % self.executors))

    @rule(number=st.integers(0, 2))
    def pause(self, number: int) -> None:
        """The group asks an executor to come to rest."""
        self.go(self.world.pause(number % self.executors))

    @rule(number=st.integers(0, 2))
    def write_snapshot(self, number: int) -> None:
        """An owner sets down what runs for long: here everything is long."""

        async def shorten() -> None:
            self.world.shorten(number % self.executors)

        self.go(shorten())

    @rule(number=st.integers(0, 2))
    def notice(self, number: int) -> None:
        """A former owner hears of it."""
        self.go(self.world.notice(number % self.executors))

    @rule(number=st.integers(0, 2))
    def crash(self, number: int) -> None:
        """A process dies and comes back."""
        self.go(self.world.crash(number % self.executors))

    @rule()
    def calm(self) -> None:
        """For a moment all goes well, so that the search also gets to what happens long after."""
        self.go(self.world.calm())

    @rule(save=st.booleans())
    def commit(self, save: bool) -> None:
        """The owner commits what is done, now and then after saving the ids of it."""
        if save:
            self.go(self.world.save_ids())
        self.world.commit()

    @rule()
    def renew(self) -> None:
        """Whoever was voided and is still the group's choice claims again."""
        self.go(self.world.renew())

    @invariant()
    def no_step_starts_early_and_none_completes_twice(self) -> None:
        """I1, I2."""
        judgement = judge(histories(self.world), set(), gated_steps.NEEDS)

        assert judgement.early_starts == []
        assert judgement.double_completions == []
        assert judgement.broken_seq == []

    @invariant()
    def no_code_runs_without_a_recorded_start(self) -> None:
        """I3."""
        starts = Counter(
            (recorded.envelope.execution_id, recorded.event.step_id)
            for recorded in self.world.log.taken()
            if isinstance(recorded.event, StepStarted)
        )

        for step, runs in self.world.runs().items():
            assert runs <= starts[step], f"{step} ran {runs} times, recorded {starts[step]}"

    def teardown(self) -> None:
        """I4, I5: once trouble ends, every command has one execution, and it ends."""
        try:
            self.go(self.world.heal())
            judgement = judge(histories(self.world), self.expected, gated_steps.NEEDS)
            assert judgement.clean, judgement
        finally:
            self.loop.run_until_complete(self.world.close())
            self.loop.close()
            asyncio.set_event_loop(None)


class ThreeExecutors(ClaimMachine):
    """The same with a third executor."""

    executors = 3


class Repeats(ClaimMachine):
    """The same, with more of what a repeat needs: an end, a commit, a new owner."""

    @rule(save=st.booleans())
    def a_day_passes(self, save: bool) -> None:
        """All goes well, the owner commits and dies, and the next one takes over."""
        self.calm()
        self.commit(save)
        self.crash(self.world.group_owner)
        self.calm()


def histories(world: World) -> dict[str, list[RecordedEvent]]:
    """Return each execution's events that readers take."""
    found: dict[str, list[RecordedEvent]] = defaultdict(list)
    for recorded in world.log.taken():
        if recorded.envelope.seq != NO_SEQ:
            found[recorded.envelope.execution_id].append(recorded)
    return found


@pytest.mark.parametrize("machine", [ClaimMachine, ThreeExecutors, Repeats])
def test_the_protocol_keeps_its_invariants(machine: type[ClaimMachine]) -> None:
    """Any interleaving the search comes to."""
    run_state_machine_as_test(machine, settings=SEARCH)


async def _look_away(self: PartitionWriter, start: int, end: int) -> None:
    """Planted: a hole is never read."""


def _take_everything(
    self: EpochRule, offset: int, record_type: str, writer_epoch: int | None
) -> bool:
    """Planted: readers take late appends too."""
    return True


def _too_high(self: LowWaterMark, floor: int, next_event_offset: int) -> int:
    """Planted: recovery reads nothing of what is unfinished."""
    return next_event_offset


def _too_early(self: LowWaterMark, next_event_offset: int) -> tuple[int, int]:
    """Planted: commands are committed as soon as they are received."""
    return self.next_command, next_event_offset


def _as_if_saved(self: SeenIds, next_event_offset: int) -> int:
    """Planted: the commit claims ids that no record of the seen topic holds."""
    return next_event_offset


async def _forget(self: SeenIdsStore, start: int) -> None:
    """Planted: what was saved is not read after a takeover."""


@pytest.mark.parametrize(
    ("machine", "owner", "name", "bug"),
    [
        (ClaimMachine, PartitionWriter, "_inspect_hole", _look_away),
        (ClaimMachine, EpochRule, "admits", _take_everything),
        (Repeats, LowWaterMark, "_mark", _too_high),
        (Repeats, LowWaterMark, "commit_point", _too_early),
        (Repeats, SeenIds, "saved_through", _as_if_saved),
        (Repeats, SeenIdsStore, "load", _forget),
    ],
    ids=[
        "no check of holes",
        "no epoch check",
        "mark too high",
        "commit too early",
        "ids saved too late",
        "ids forgotten",
    ],
)
def test_the_search_finds_a_planted_bug(
    machine: type[ClaimMachine],
    owner: type,
    name: str,
    bug: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A search that finds nothing proves nothing."""
    monkeypatch.setattr(owner, name, bug)

    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(machine, settings=HUNT)
