"""The lens reads what the contract writes, and leaves the last word to the contract."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from steplog_contracts import events
from steplog_contracts.payload import encode_payload
from tests.contracts.examples import EVENTS
from tracker_service.projections import event_structs
from tracker_service.projections.errors import Unfoldable
from tracker_service.projections.payload_decoder import LENS_BY_EVENT, is_unknown_kind, read_payload
from tracker_service.projections.record_header import Heading


def heading(kind: str, value: bytes) -> Heading:
    """A heading of a kind with a payload."""
    return Heading(0, kind, "e-1", 1, datetime(2026, 1, 1, tzinfo=UTC), None, None, value)


def plain(value: Any) -> Any:
    """A lens's value as plain data, to compare it with the event's."""
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def agrees(seen: Any, written: Any) -> bool:
    """Whether a lens's value says what the event's does, as far as the lens looks."""
    if isinstance(seen, dict) and isinstance(written, dict):
        return all(agrees(value, written.get(name)) for name, value in seen.items())
    if isinstance(written, str) and isinstance(seen, datetime):
        return seen == datetime.fromisoformat(written)
    return bool(seen == written)


def test_every_event_but_the_claim_has_a_lens() -> None:
    """Of a claim only its place in the log counts."""
    assert set(LENS_BY_EVENT) == set(events.EVENT_CLASSES) - {events.PartitionClaimed}


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_the_lens_sees_what_the_contract_wrote(event: events.Event) -> None:
    if isinstance(event, events.PartitionClaimed):
        return
    seen = read_payload(heading(event.event_type, encode_payload(event)))

    assert agrees(plain(seen), event.model_dump(mode="json"))


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_a_payload_with_unknown_fields_is_read(event: events.Event) -> None:
    if isinstance(event, events.PartitionClaimed):
        return
    value = encode_payload(event)[:-1] + b',"new_field":{"a":[1]}}'

    assert read_payload(heading(event.event_type, value)) == read_payload(
        heading(event.event_type, encode_payload(event))
    )


def test_what_the_lens_cannot_read_the_contract_may() -> None:
    """A writer in another language may send a number as text; pydantic takes it."""
    value = b'{"step_id":"a","iteration":"2"}'

    seen = read_payload(heading("steplog.step.started.v1", value))

    assert isinstance(seen, event_structs.StepStartedLens)
    assert seen.iteration == 2


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b'{"step_id":"a","output":NaN}', "bad_json"),
        (b'{"output":1}', "bad_payload"),
        (b"[]", "bad_payload"),
        (b"", "bad_json"),
    ],
)
def test_what_neither_can_read_is_named(value: bytes, code: str) -> None:
    with pytest.raises(Unfoldable) as caught:
        read_payload(heading("steplog.step.completed.v1", value))

    assert caught.value.code == code


def test_an_unknown_version_is_no_unknown_kind() -> None:
    """Rows without a newer version of a known event would be wrong; without a new event, not."""
    assert is_unknown_kind("steplog.step.sparkled.v1")
    assert not is_unknown_kind("steplog.step.completed.v2")
    assert not is_unknown_kind("steplog.step.completed.v1")
