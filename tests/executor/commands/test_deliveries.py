"""A command under which processes died three times is refused; a healthy one never is."""

from datetime import timedelta

from executor_service.commands.deliveries import skip_note
from executor_service.commands.intake import CommandIntake
from executor_service.ports.command_source import ReceivedRecord
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import SentCommand
from tests.executor.support.fakes import settle
from tests.executor.support.partition_harness import PARTITION, Owning, linear


class Died(BaseException):
    """The process ended here."""


def records(owning: Owning) -> list[ReceivedRecord]:
    return [
        ReceivedRecord(PARTITION, offset, record.key, record.value, record.headers)
        for offset, record in enumerate(owning.commands)
    ]


def put(owning: Owning, execution_id: str) -> None:
    command = RunPipeline(execution_id=execution_id, definition=linear("Quick"))
    sent = SentCommand(f"c-{execution_id}", "/test", owning.clock.now(), command)
    owning.commands.append(encode_command(sent))


async def taken_over(before: Owning) -> Owning:
    """Return the next owner of the same logs, which has been given no command yet."""
    after = Owning(
        before.events, before.parked, before.clock, before.committed, [], seen=before.seen
    )
    await after.begin()
    after.commands = before.commands
    after.owner._deliveries.be_careful(0)
    return after


async def deliver(owning: Owning, dying_of: str = "") -> None:
    """Give everything to the owner; the process dies when it takes that execution's command."""
    intake = owning.owner._intake
    assert isinstance(intake, CommandIntake)
    take = intake.take

    def deadly(record: ReceivedRecord) -> None:
        if dying_of and record.key == dying_of.encode():
            raise Died
        take(record)

    intake.take = deadly  # type: ignore[method-assign]
    try:
        await owning.owner.deliver(records(owning))
    except Died:
        owning.owner.lost.cancel()
    await settle()


async def test_a_command_that_ends_the_process_is_refused_and_the_others_are_run() -> None:
    owning = await Owning().begin()
    for execution_id in ("e-1", "deadly", "e-2"):
        put(owning, execution_id)

    deaths = 0
    owning = await taken_over(owning)
    while not owning.refusals():
        assert deaths < 4
        await deliver(owning, dying_of="deadly")
        deaths += 1
        owning = await taken_over(owning) if not owning.refusals() else owning

    assert owning.refusals() == [("c-deadly", "command_stuck")]
    assert owning.kinds("e-1")[-1] == owning.kinds("e-2")[-1] == "ExecutionCompleted"


async def test_commands_that_come_again_and_again_are_run() -> None:
    owning = await Owning().begin()
    for number in range(5):
        put(owning, f"e-{number}")

    for _ in range(6):
        owning = await taken_over(owning)
        await deliver(owning)

    assert owning.refusals() == []
    assert [owning.kinds(f"e-{n}")[-1] for n in range(5)] == ["ExecutionCompleted"] * 5


async def test_a_command_that_a_person_skips_is_refused_and_the_others_are_run() -> None:
    owning = await Owning().begin()
    for execution_id in ("e-1", "e-2", "e-3"):
        put(owning, execution_id)
    owning.seen.land(PARTITION, [skip_note(1, "n", owning.clock.now())])

    owning = await taken_over(owning)
    await deliver(owning)

    assert owning.refusals() == [("c-e-2", "command_skipped")]
    assert owning.kinds("e-1")[-1] == owning.kinds("e-3")[-1] == "ExecutionCompleted"


async def test_nothing_is_noted_once_an_owner_has_been_there_for_a_while() -> None:
    owning = await taken_over(await Owning().begin())
    put(owning, "e-1")
    owning.clock.move(timedelta(minutes=2))
    before = list(owning.seen.partitions.get(PARTITION, ()))

    await deliver(owning)

    assert list(owning.seen.partitions.get(PARTITION, ())) == before
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"
