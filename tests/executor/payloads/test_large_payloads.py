"""Values too large for an event are stored first, and steps never notice."""

from typing import Any

import pytest

from executor_service.payloads.client import Payloads
from steplog_contracts.commands import CancelExecution, ResumeExecution, RetryExecution, RunPipeline
from steplog_contracts.data_ref import DataRef
from steplog_contracts.events import (
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionStarted,
    StepCompleted,
    StepFailed,
    StepStarted,
    StepWaiting,
)
from steplog_contracts.payload import JsonObject
from tests.executor.support import large_steps
from tests.executor.support.fake_store import FakeStore, at_once
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import Owning, linear

LARGE = large_steps.LARGE


def flow(*classes: str, **config: Any) -> JsonObject:
    """Return a linear definition of `large_steps`."""
    definition = linear(*classes)
    for step in definition["steps"]:
        step["module"] = large_steps.__name__
        step["config"] = config
    return definition


async def run(owning: Owning, *classes: str, given: Any = None, **config: Any) -> None:
    """Run e-1."""
    definition = flow(*classes, **config)
    await owning.send(RunPipeline(execution_id="e-1", definition=definition, input=given or {}))


def last_of(owning: Owning, kind: type[Any]) -> Any:
    """Return the newest event of a kind in e-1."""
    return [event for event in owning.history("e-1") if isinstance(event, kind)][-1]


@pytest.fixture
def store() -> FakeStore:
    """Return an empty store."""
    return FakeStore()


@pytest.fixture
async def owning(store: FakeStore) -> Owning:
    """Return an owner with that store."""
    return await Owning(payloads=store.payloads()).begin()


async def test_a_large_member_is_stored_and_the_rest_stays_in_the_event(
    owning: Owning, store: FakeStore
) -> None:
    await run(owning, "Large")

    completed = last_of(owning, StepCompleted)
    reference = completed.references["/output/rows"]
    assert completed.output == {"rows": None, "count": 3}
    assert store.objects[reference.sha256] == f'"{LARGE}"'.encode()
    assert reference.size_bytes == len(LARGE) + 2


async def test_the_next_step_sees_the_value_itself(owning: Owning) -> None:
    await run(owning, "Large", "Measure")

    assert last_of(owning, ExecutionCompleted).output["length"] == len(LARGE)


async def test_a_value_that_is_passed_on_is_stored_once(owning: Owning, store: FakeStore) -> None:
    await run(owning, "Large", "Measure", "Measure")

    started = [e for e in owning.history("e-1") if isinstance(e, StepStarted)]
    referred = [*started[1:], last_of(owning, ExecutionCompleted)]
    places = [list(event.references or ()) for event in referred]
    assert places == [["/input/rows"], ["/input/rows"], ["/output/rows"]]
    assert store.puts == 1


async def test_many_small_members_are_stored_as_one(owning: Owning) -> None:
    await run(owning, "ManySmall")

    completed = last_of(owning, StepCompleted)
    assert completed.output is None
    assert list(completed.references) == ["/output"]


async def test_a_large_input_is_stored_before_anything_is_recorded(owning: Owning) -> None:
    await run(owning, "Measure", given={"rows": LARGE})

    started = owning.history("e-1")[0]
    assert isinstance(started, ExecutionStarted)
    assert started.input == {"rows": None}
    assert last_of(owning, ExecutionCompleted).output["length"] == len(LARGE)


async def test_small_values_need_no_store(store: FakeStore, owning: Owning) -> None:
    await owning.run("e-2", "Quick", "Quick")

    assert store.puts == 0
    assert all(event.references is None for event in owning.history("e-2"))


async def test_users_data_that_looks_like_a_reference_is_data(owning: Owning) -> None:
    forged = {"references": {"/input/x": {"uri": "x", "sha256": "a" * 64, "size_bytes": 1}}, "x": 1}
    await owning.run("e-2", "Quick", input=forged)

    completed = owning.history("e-2")[-1]
    assert isinstance(completed, ExecutionCompleted)
    assert completed.output == {**forged, "s1": "done"}


async def test_a_new_owner_goes_on_with_the_stored_values(owning: Owning) -> None:
    definition = flow("Large", "Measure")
    definition["steps"][1] |= {"module": "tests.executor.support.people_steps"}
    definition["steps"][1] |= {"step_class": "Forever"}
    await owning.send(RunPipeline(execution_id="e-1", definition=definition))

    after = await owning.restarted()

    live = after.owner._executions._live["e-1"].execution.state
    assert live.visits["s2"].input["rows"] == LARGE
    assert last_of(after, StepStarted).attempt == 2


async def test_a_parked_execution_is_small_and_comes_back_whole(owning: Owning) -> None:
    await run(owning, "Ask", "Measure")
    [snapshot] = [entry for entry in owning.parked.partitions[0] if b"large_steps" in entry.value]
    after = await owning.restarted()

    await after.send(ResumeExecution(execution_id="e-1", human_input={"rows": "abc"}))

    waiting = last_of(after, StepWaiting)
    assert waiting.references.keys() == {"/output/shown"}
    assert len(snapshot.value) < 10_000
    assert last_of(after, ExecutionCompleted).references.keys() == {"/output/shown"}
    assert last_of(after, ExecutionCompleted).output["length"] == 3


async def test_commands_for_an_execution_being_fetched_wait_their_turn(
    owning: Owning, store: FakeStore
) -> None:
    await run(owning, "Ask", "Measure")
    after = await owning.restarted()
    store.is_away = True
    await after.send(ResumeExecution(execution_id="e-1", human_input={"rows": "abc"}))
    await after.send(CancelExecution(execution_id="e-1"))
    held = after.commit().command_offset
    store.is_away = False
    await settle()

    assert after.kinds("e-1")[3] == "StepResumed"
    assert after.kinds("e-1")[-1] == "ExecutionCancelled"
    assert (held, after.refusals()) == (1, [])
    assert after.commit().command_offset == 3
    assert after.slots.in_use == 0


async def test_a_retry_copies_references_and_stores_nothing_again(
    owning: Owning, store: FakeStore
) -> None:
    large_steps.LargeOnce.runs = 0
    await run(owning, "Large", "LargeOnce")

    await owning.send(RetryExecution(execution_id="e-9", origin_execution_id="e-1"))

    copied = [e for e in owning.history("e-9") if isinstance(e, StepCompleted)]
    assert copied[0].references == last_of(owning, StepCompleted).references
    assert copied[-1].output == {"length": len(LARGE)}
    assert store.puts == 1


async def test_a_large_value_that_came_as_a_reference_is_fetched(
    owning: Owning, store: FakeStore
) -> None:
    reference = await owning.payloads.put(f'"{LARGE}"'.encode())
    await owning.send(
        RunPipeline(
            execution_id="e-1",
            definition=flow("Measure"),
            input={"rows": None},
            references={"/input/rows": reference},
        )
    )

    assert last_of(owning, ExecutionCompleted).output["length"] == len(LARGE)


class TestFaults:
    """What can't be stored or had is a failure people see, never a stopped partition."""

    async def test_a_store_that_comes_back_in_time_is_not_noticed(
        self, owning: Owning, store: FakeStore
    ) -> None:
        store.is_away = True
        store.while_paused = lambda: setattr(store, "is_away", len(store.pauses) < 2)
        await run(owning, "Large")

        assert owning.kinds("e-1")[-1] == "ExecutionCompleted"
        assert store.pauses == [0.1, 0.5]

    async def test_a_store_that_stays_away_fails_the_step_with_the_remedy(
        self, owning: Owning, store: FakeStore
    ) -> None:
        store.is_away = True
        await run(owning, "Large")

        error = last_of(owning, StepFailed).error
        assert (error.type, error.step_id) == ("PayloadNotStored", "s1")
        assert "No space is left" in error.message
        assert "STEPLOG_PAYLOAD_STORE" in error.message

    async def test_without_a_store_what_the_log_takes_stays_in_events(self) -> None:
        owning = await Owning().begin()
        await run(owning, "Large", "Measure")

        assert last_of(owning, StepCompleted).output["length"] == len(LARGE)
        assert all(event.references is None for event in owning.history("e-1"))

    async def test_without_a_store_a_larger_value_fails_its_step(self) -> None:
        owning = await Owning().begin()
        await run(owning, "Huge")

        error = last_of(owning, StepFailed).error
        assert (error.type, error.step_id) == ("PayloadTooLarge", "s1")
        assert "STEPLOG_PAYLOAD_STORE" in error.message
        assert owning.kinds("e-1")[-1] == "ExecutionFailed"
        assert not owning.lost

    async def test_the_steps_error_handling_has_its_say(self) -> None:
        owning = await Owning().begin()
        await run(owning, "HugeWithFallback", error_handling={"enable_fallback": True})

        assert last_of(owning, StepCompleted).output == {"instead": "PayloadTooLarge"}

    async def test_data_that_grows_too_large_fails_the_execution_at_that_step(self) -> None:
        owning = await Owning().begin()
        await run(owning, "Large", "More", "Measure", given={"given": "x" * 400_000})

        error = last_of(owning, ExecutionFailed).error
        assert (error.type, error.step_id) == ("PayloadTooLarge", "s3")
        assert "STEPLOG_PAYLOAD_STORE" in error.message
        assert owning.kinds("e-1")[-2] == "StepCompleted"
        assert not owning.lost

    async def test_an_input_that_can_not_be_stored_is_refused(
        self, owning: Owning, store: FakeStore
    ) -> None:
        store.is_away = True
        await run(owning, "Measure", given={"rows": LARGE})

        assert owning.refusals() == [("c0", "payload_not_stored")]
        assert owning.kinds("e-1") == []
        assert owning.commit().command_offset == 1

    async def test_a_missing_value_fails_its_execution_alone(
        self, owning: Owning, store: FakeStore
    ) -> None:
        await run(owning, "Ask", "Measure")
        await owning.run("e-2", "Ask", "Quick")
        after = await owning.restarted()
        store.objects.clear()
        for execution_id in ("e-1", "e-2"):
            await after.send(ResumeExecution(execution_id=execution_id))

        error = last_of(after, ExecutionFailed).error
        assert error.type == "PayloadMissing"
        assert after.kinds("e-2")[-1] == "ExecutionCompleted"
        assert after.commit().command_offset == 4

    async def test_an_altered_value_fails_its_execution(
        self, owning: Owning, store: FakeStore
    ) -> None:
        await run(owning, "Ask", "Measure")
        after = await owning.restarted()
        [sha256] = store.objects
        store.objects[sha256] = b'"' + b"y" * len(LARGE) + b'"'
        await after.send(ResumeExecution(execution_id="e-1"))

        error = last_of(after, ExecutionFailed).error
        assert error.type == "AlteredPayload"
        assert sha256 in error.message

    async def test_a_reference_nobody_stored_is_refused(self, owning: Owning) -> None:
        await owning.send(
            RunPipeline(
                execution_id="e-1",
                definition=flow("Measure"),
                input={"rows": None},
                references={"/input/rows": DataRef(uri="x", sha256="a" * 64, size_bytes=1)},
            )
        )

        assert owning.refusals() == [("c0", "payload_missing")]

    async def test_a_reference_to_no_place_is_refused(self, owning: Owning) -> None:
        reference = await owning.payloads.put(b"1")
        await owning.send(
            RunPipeline(
                execution_id="e-1",
                definition=flow("Measure"),
                references={"/definition/name": reference},
            )
        )

        assert owning.refusals() == [("c0", "bad_command")]

    async def test_a_crash_between_storing_and_recording_does_no_harm(
        self, owning: Owning, store: FakeStore
    ) -> None:
        owning.events.held = True
        await run(owning, "Large")
        owning.events.held = False
        after = await owning.restarted(commit=False)

        assert after.kinds("e-1")[-1] == "ExecutionCompleted"
        assert len(store.objects) == 1


async def test_without_a_store_references_are_refused_with_the_remedy() -> None:
    owning = await Owning(payloads=Payloads(in_thread=at_once)).begin()
    reference = DataRef(uri="s3://b/x", sha256="a" * 64, size_bytes=5)
    await owning.send(
        RunPipeline(
            execution_id="e-1",
            definition=flow("Measure"),
            input=None,
            references={"/input": reference},
        )
    )

    assert owning.refusals() == [("c0", "payload_missing")]
