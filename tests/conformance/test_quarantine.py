"""Poison stops its own execution and nothing else, and there are two ways out."""

import pytest

from steplog_contracts import events
from steplog_contracts.envelope import Record
from tests.conformance.stores import ReadModelUnderTest
from tests.tracker.histories import History, Log
from tracker_service.projector import dead_letters
from tracker_service.store.dead_letters import NoSuchLetter


def with_value(record: Record, value: bytes | None) -> Record:
    """The record with another value."""
    return record._replace(value=value)


def without_header(record: Record, name: str) -> Record:
    """The record without one of its headers."""
    return record._replace(headers=[header for header in record.headers if header[0] != name])


def of_kind(record: Record, kind: str) -> Record:
    """The record with another type."""
    headers = [(n, kind.encode() if n == "ce_type" else v) for n, v in record.headers]
    return record._replace(headers=headers)


def nested(levels: int) -> bytes:
    """Return the payload of a step's end whose output nests so deep."""
    return b'{"step_id":"a","output":%s%s}' % (b"[" * levels, b"]" * levels)


async def open_letter(rows: ReadModelUnderTest) -> int:
    """Return the number of the one letter at fault."""
    found = await rows.letters.letters(unresolved=True, limit=10)
    (letter,) = [letter for letter in found if letter.status == "open"]
    return letter.id


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda r: with_value(r, b"{not json"), "bad_json"),
        (lambda r: with_value(r, b'{"step_id": 7}'), "bad_payload"),
        (lambda r: with_value(r, b'{"step_id": "\xff"}'), "bad_json"),
        (lambda r: with_value(r, None), "bad_payload"),
        (lambda r: with_value(r, b'{"step_id":"a","output":' + b"[" * 5000), "too_deep"),
        (lambda r: with_value(r, nested(200)), "too_deep"),
        (lambda r: with_value(r, nested(900)), "too_deep"),
        (lambda r: without_header(r, "ce_sequence"), "missing_header"),
        (lambda r: without_header(r, "ce_type"), "missing_header"),
        (lambda r: without_header(r, "ce_time"), "missing_header"),
        (lambda r: of_kind(r, "steplog.step.completed.v9"), "unknown_version"),
    ],
)
async def test_poison_of_each_kind_is_set_aside_while_others_flow(
    rows: ReadModelUnderTest, spoil: object, code: str
) -> None:
    log = Log()
    sick, well = History("sick"), History("well")
    log.append([sick.started(), well.started()])
    begun, ended = sick.step()
    log.append([begun, spoil(ended), sick.completed(), *well.step(), well.completed()])  # type: ignore[operator]

    await rows.receives(log.entries)

    letters = await rows.letters.letters(unresolved=True, limit=10)
    assert [(letter.code, letter.status) for letter in letters] == [
        (code, "open"),
        ("behind_dead_letter", "parked"),
    ]
    assert (await rows.execution("sick"))["incomplete"] is True
    assert (await rows.execution("sick"))["status"] == "running"
    assert (await rows.execution("well"))["status"] == "completed"


async def test_a_letter_keeps_the_record_byte_for_byte(rows: ReadModelUnderTest) -> None:
    log = Log()
    broken = with_value(History().started(), b"\x00\xff no json")
    log.append(broken._replace(headers=[*broken.headers, ("odd\x00", b"\xfe\x00")]))
    await rows.receives(log.entries)

    letter = await rows.letters.letter(await open_letter(rows))

    assert letter.record is not None
    assert (letter.record.key, letter.record.value) == (b"e-1", b"\x00\xff no json")
    assert list(letter.record.headers) == log.entries[0].headers


async def test_an_unknown_kind_of_event_is_passed_over_and_counted(
    rows: ReadModelUnderTest,
) -> None:
    """A newer writer may append it; only its place in the history matters here."""
    log = Log()
    history = History()
    begun = history.started()
    strange = of_kind(history.record(events.StepCancelled(step_id="a")), "steplog.step.sparkled.v1")
    log.append([begun, strange, *history.step(), history.completed()])

    await rows.receives(log.entries)

    assert rows.projector.applied.counts.unknown == 1
    assert (await rows.execution())["status"] == "completed"


async def test_a_hole_in_the_history_quarantines_that_execution_only(
    rows: ReadModelUnderTest,
) -> None:
    log = Log()
    history, other = History(), History("other")
    begun, _lost, ended = history.started(), *history.step()
    log.append([begun, ended, *other.whole()])

    await rows.receives(log.entries)

    (letter,) = await rows.letters.letters(unresolved=True, limit=10)
    assert (letter.code, letter.seq, letter.execution_id) == ("hole", 3, "e-1")
    assert (await rows.execution("other"))["status"] == "completed"


async def test_a_retry_applies_in_order_what_arrived_late(rows: ReadModelUnderTest) -> None:
    log = Log()
    history = History()
    begun, first, second, end = history.started(), *history.step(), history.completed()
    await rows.receives(log.append([begun, second, first, end]))

    mended = await dead_letters.retry(rows.letters, await open_letter(rows))

    execution = await rows.execution()
    assert mended.stuck is None
    assert set(mended.resolved.values()) == {"applied"}
    assert (execution["status"], execution["incomplete"]) == ("completed", False)
    assert await rows.letters.letters(unresolved=True, limit=10) == []


async def test_a_retry_of_what_is_still_broken_says_so_and_changes_nothing(
    rows: ReadModelUnderTest,
) -> None:
    log = Log()
    history = History()
    begun, ended = history.started(), history.completed()
    await rows.receives(log.append([begun, with_value(ended, b"{")]))
    number = await open_letter(rows)

    mended = await dead_letters.retry(rows.letters, number)

    assert mended.stuck is not None
    assert mended.stuck[:2] == (number, "bad_json")
    assert (await rows.execution())["incomplete"] is True
    assert (await rows.letters.letter(number)).status == "open"


async def test_a_skip_goes_on_without_the_event_and_the_row_says_so(
    rows: ReadModelUnderTest,
) -> None:
    log = Log()
    history = History()
    begun, step = history.started(), history.step()
    await rows.receives(
        log.append([begun, step[0], with_value(step[1], b"{"), history.completed()])
    )

    mended = await dead_letters.skip(rows.letters, await open_letter(rows))

    execution = await rows.execution()
    assert sorted(mended.resolved.values()) == ["applied", "skipped"]
    assert (execution["status"], execution["incomplete"]) == ("completed", True)
    assert [step["status"] for step in await rows.steps()] == ["cancelled"]


async def test_a_skipped_hole_goes_on_from_the_event_after_it(rows: ReadModelUnderTest) -> None:
    log = Log()
    history = History()
    begun, _lost, ended = history.started(), *history.step()
    await rows.receives(log.append([begun, ended, history.completed()]))

    await dead_letters.skip(rows.letters, await open_letter(rows))

    execution = await rows.execution()
    assert (execution["status"], execution["completed_steps"]) == ("completed", 1)
    assert execution["incomplete"] is True


async def test_an_execution_without_a_readable_beginning_can_only_be_skipped_whole(
    rows: ReadModelUnderTest,
) -> None:
    log = Log()
    history = History()
    await rows.receives(
        log.append([with_value(history.started(), b"{"), *history.step(), history.completed()])
    )

    mended = await dead_letters.skip(rows.letters, await open_letter(rows))

    assert set(mended.resolved.values()) == {"skipped"}
    assert await rows.model.execution("e-1") is None


async def test_only_the_letter_at_fault_can_be_skipped(rows: ReadModelUnderTest) -> None:
    log = Log()
    history = History()
    await rows.receives(
        log.append([history.started(), with_value(history.completed(), b"{"), *history.step()])
    )
    letters = await rows.letters.letters(unresolved=True, limit=10)

    with pytest.raises(dead_letters.NotSkippable):
        await dead_letters.skip(rows.letters, letters[-1].id)
    with pytest.raises(NoSuchLetter):
        await dead_letters.retry(rows.letters, 999)


async def test_a_live_worker_goes_on_rightly_after_a_repair(rows: ReadModelUnderTest) -> None:
    """It remembers the execution as quarantined until it meets the changed generation."""
    log = Log()
    history = History()
    begun, first, second = history.started(), *history.step()
    await rows.receives(log.append([begun, second, first]))
    await dead_letters.retry(rows.letters, await open_letter(rows))

    await rows.receives(log.append(history.completed()))

    assert rows.projector.applied.conflicts == 1
    assert (await rows.execution())["status"] == "completed"


async def test_poison_of_an_ended_execution_leaves_its_row_alone(
    rows: ReadModelUnderTest,
) -> None:
    log = Log()
    history = History()
    await rows.receives(log.append(history.whole()))
    before = await rows.execution()

    await rows.receives(log.append(without_header(history.step()[0], "ce_time")))

    assert await rows.execution() == before
    assert len(await rows.letters.letters(unresolved=True, limit=10)) == 1
