"""Whatever a command is called, what an executor records of it is read by the tracker."""

import json
from typing import Final

import pytest

from steplog_contracts.commands import MAX_ID_CHARS, RunPipeline
from steplog_contracts.envelope import Record
from steplog_contracts.epoch import EpochRule
from steplog_contracts.headers import MAX_ID_BYTES
from steplog_contracts.payload import JsonObject
from tests.executor.support.odd_commands import ODD_RECORDS, headers
from tests.executor.support.partition_harness import PARTITION, Owning, linear
from tests.tracker.histories import LogEntry
from tracker_service.projections.batch_fold import BatchFold
from tracker_service.projections.record_header import read_heading

# Of four bytes each: few characters, and more bytes than a header of ours may have.
WIDE: Final = "\U0001f600"
FITTING: Final = WIDE * (MAX_ID_BYTES // 4)
DATA: Final[JsonObject] = {"execution_id": "e", "definition": linear("Quick")}
ID_FIELDS: Final = ("requested_by", "parent_execution_id", "pipeline", "concurrency_key")
ODD_IDS: Final = {
    "wide": WIDE * MAX_ID_CHARS,
    "one byte too long": FITTING + "x",
    "long": "x" * (MAX_ID_CHARS + 1),
    "endless": "x" * 100_000,
    "with U+0000": "a\x00b",
    "with a line break": "a\nb",
    "with a lone surrogate": "a\ud800",
}


def structured(command_id: str, data: object) -> Record:
    """A record in structured mode."""
    event = {
        "specversion": "1.0",
        "id": command_id,
        "source": "/t",
        "subject": "e",
        "type": RunPipeline.command_type,
        "time": "2026-01-01T00:00:00Z",
        "data": data,
    }
    kind = [("content-type", b"application/cloudevents+json")]
    return Record(b"e", json.dumps(event).encode(), kind)


def odd_ids() -> dict[str, Record]:
    """Return commands with ids nobody can have, as their own, their execution's and in fields."""
    found = {}
    for name, odd in ODD_IDS.items():
        text = odd.encode(errors="surrogatepass")
        for header in ("ce_id", "ce_subject", "ce_type"):
            given = [(n, text if n == header else v) for n, v in headers()]
            found[f"{header} {name}"] = Record(b"e", b"{}", given)
        found[f"key {name}"] = Record(text, b"{", [h for h in headers() if h[0] != "ce_subject"])
        found[f"structured {name}"] = structured(odd, {})
        for field in ID_FIELDS:
            value = json.dumps({**DATA, field: odd}).encode()
            found[f"{field} {name}"] = Record(b"e", value, headers())
    return found


def unread(owning: Owning) -> list[tuple[str, str]]:
    """Return code and reason of every event of the partition that the tracker sets aside."""
    fold = BatchFold(PARTITION, {}, set(), EpochRule())
    entries = owning.events.partitions[PARTITION]
    fold.take_all(
        read_heading(LogEntry(entry.offset, None, entry.value, entry.headers)) for entry in entries
    )
    return [(letter.code, letter.reason) for letter in fold.changes.set_aside]


@pytest.mark.parametrize("records", [ODD_RECORDS, odd_ids()], ids=["odd records", "odd ids"])
async def test_a_refusal_is_read_or_its_command_set_aside(records: dict[str, Record]) -> None:
    owning = await Owning().begin()

    for record in records.values():
        await owning.send_record(record)
    await owning.run("e-2", "Quick")

    assert unread(owning) == []
    assert owning.kinds("e") == []
    assert owning.kinds("e-2")[-1] == "ExecutionCompleted"
    assert {code for _, code in owning.refusals()} >= {"bad_payload"}


@pytest.mark.parametrize("field", ID_FIELDS)
async def test_an_id_that_does_not_fit_a_header_is_refused_with_what_does(field: str) -> None:
    owning = await Owning().begin()

    value = json.dumps({**DATA, field: WIDE * MAX_ID_CHARS}).encode()
    await owning.send_record(Record(b"e", value, headers()))

    [refused] = [event.event for event in owning.events.taken(PARTITION)][1:]
    assert f"{field}: " in refused.message  # type: ignore[attr-defined]
    assert f"at most {MAX_ID_CHARS} characters and {MAX_ID_BYTES} bytes" in refused.message  # type: ignore[attr-defined]


async def test_the_longest_ids_are_carried_out_and_read() -> None:
    owning = await Owning().begin()
    value = json.dumps({**DATA, **dict.fromkeys(ID_FIELDS[:3], FITTING)}).encode()

    await owning.send_record(Record(b"e", value, headers(FITTING)))

    assert owning.kinds("e")[-1] == "ExecutionCompleted"
    assert unread(owning) == []


async def test_a_command_in_structured_mode_is_refused_under_its_id() -> None:
    owning = await Owning().begin()

    await owning.send_record(structured("c-1", {"execution_id": 7}))

    assert owning.refusals() == [("c-1", "bad_payload")]
    assert unread(owning) == []
