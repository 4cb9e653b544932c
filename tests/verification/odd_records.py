"""Records as any program may write them: arbitrary bytes, and real events with something spoilt."""

import json
import random
from typing import Any, Final

from hypothesis import strategies as st

from steplog_contracts import events
from steplog_contracts.envelope import Headers, Record
from tests.tracker.histories import AN_ERROR, BEGINNING, History, claim, refused

# Not compressible, so that no index entry gets shorter by it.
_LONG: Final = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9000))
NAMES: Final = (
    "ce_type",
    "ce_subject",
    "ce_time",
    "ce_sequence",
    "ce_writerepoch",
    "ce_causationid",
    "ce_correlationid",
    "ce_commandoffset",
    "content-type",
    "ce_id",
)
ODD_HEADERS: Final[tuple[bytes | None, ...]] = (
    None,
    b"",
    b"\x00",
    b"\xff\xfe",
    b"-1",
    b"0",
    b"1",
    b"2",
    b"9" * 18,
    b"%d" % (2**63),
    b"9" * 5000,
    b"1_0",
    b"0001-01-01T00:00:00+14:00",
    b"0001-01-01T00:00:00+00:00",
    b"9999-12-31T23:59:59.999999+00:00",
    b"9999-12-31T23:59:59-23:59",
    b"0000-01-01T00:00:00Z",
    b"2026-01-01T00:00:00",
    b"steplog.step.completed.v0",
    b"steplog.execution.started.v9",
    b"steplog.command.refused.v1",
    b"application/cloudevents+json",
    b"application/json",
    _LONG[:2000].encode(),
    _LONG.encode(),
)
ODD_JSON: Final = (
    "null",
    "true",
    "-1",
    "0",
    "2147483648",
    "9223372036854775808",
    "9" * 4000,
    "9" * 5000,
    "1e308",
    "1e999",
    "0.30000000000000004",
    "NaN",
    '""',
    '"a\\u0000b"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\\\ud800 \\\\u0000"',
    '"0000-01-01T00:00:00Z"',
    '"10000-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59-23:59"',
    '"0001-01-01T00:00:00+14:00"',
    '"9999-12-31T23:59:59.999999Z"',
    '"0001-01-01T00:00:00Z"',
    '"2026-01-01T00:00:00"',
    '"2026-01-01"',
    f'"{_LONG[:1500]}"',
    f'"{_LONG}"',
    f'{{"{_LONG}": 1}}',
    "[" * 150 + "]" * 150,
    "[" * 900 + "]" * 900,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 900 + "1" + "}" * 900,
    "[]",
    "{}",
    '{"type": "E", "message": "a\\u0000b"}',
    '{"type": "E", "message": 1}',
    f'{{"/output/{_LONG}": {{"uri": "x", "sha256": "a", "size_bytes": 9223372036854775808}}}}',
    f'{{"/output/{_LONG}": {{"uri": "x", "sha256": "a", "size_bytes": 1}}}}',
    '{"execution_id": "x", "kind": "fork", "from_step": "a", "at_seq": 9223372036854775808}',
)


def every_kind(name: str) -> list[Record]:
    """Return records of a history in which each kind of event comes, and two that are in none."""
    history = History(name)
    at = {"step_id": "a"}
    waiting = events.StepWaiting(**at, attempt=2, interaction_id=f"i-{name}", expires_at=BEGINNING)
    facts: list[events.Event] = [
        events.StepScheduled(**at, due_at=BEGINNING),
        events.StepStarted(**at, input={"n": 1}),
        events.StepProgressed(**at, progress={"rows": 7}),
        events.StepAttemptFailed(**at, error=AN_ERROR, retry_at=BEGINNING, progress=8),
        events.StepStarted(**at, attempt=2),
        waiting,
        events.StepResumed(**at, attempt=2, interaction_id=f"i-{name}"),
        events.StepCompleted(**at, attempt=2, output={"m": 1}),
        events.StepStarted(step_id="b"),
        events.StepFailed(step_id="b", error=AN_ERROR, continued=True),
        events.ExecutionDeadlinePassed(to_step="c", passed_at=BEGINNING),
        events.StepStarted(step_id="c"),
        events.StepCancelled(step_id="c"),
        events.StepSkipped(step_id="d"),
    ]
    begun = history.started(definition={"name": "P"}, metadata={"k": "v"}, cause=f"c-{name}")
    told = [begun, *(history.record(fact) for fact in facts), claim(0), refused(f"r-{name}", name)]
    undoing: list[events.Event] = [
        events.ExecutionCompensating(error=AN_ERROR),
        events.StepCompensationStarted(**at),
        events.StepCompensationFailed(**at, error=AN_ERROR, retry_at=BEGINNING),
        events.StepCompensated(**at, output={"undone": True}),
    ]
    return [
        *told,
        *(history.record(event) for event in undoing),
        history.record(events.ExecutionFailed(error=AN_ERROR)),
    ]


def with_header(headers: Headers, name: str, value: bytes | None, way: str) -> Headers:
    """Return headers with one replaced, one more of its name, or without it."""
    if way == "twice":
        return [*headers, (name, value)]
    others = [header for header in headers if header[0] != name]
    return others if way == "without" else [*others, (name, value)]


def with_field(value: bytes | None, name: str, odd: str) -> bytes:
    """Return a payload with one field replaced, or added."""
    payload: dict[str, Any] = json.loads(value or b"{}")
    payload[name] = "@@"
    return json.dumps(payload).replace('"@@"', odd).encode()


_FIELDS: Final = sorted(
    {name for kind in events.EVENT_CLASSES for name in kind.model_fields} | {"references"}
)
SPOILT_HEADER = st.tuples(
    st.just("header"),
    st.sampled_from(NAMES),
    st.sampled_from(ODD_HEADERS) | st.binary(max_size=20),
    st.sampled_from(["replaced", "twice", "without"]),
)
SPOILT_FIELD = st.tuples(
    st.just("field"), st.sampled_from(_FIELDS), st.sampled_from(ODD_JSON), st.just("")
)
# Which record of a history, and what is spoilt of it.
SPOILS = st.lists(
    st.tuples(st.integers(0, 16), st.one_of(SPOILT_HEADER, SPOILT_FIELD)), min_size=1, max_size=4
)
ANYTHING = st.builds(
    Record,
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=60) | st.sampled_from([odd.encode() for odd in ODD_JSON]),
    st.lists(
        st.tuples(
            st.sampled_from(NAMES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
            st.sampled_from(ODD_HEADERS) | st.binary(max_size=20),
        ),
        max_size=6,
    ),
)


def spoilt(records: list[Record], spoils: list[tuple[int, tuple[str, str, Any, str]]]) -> list[Any]:
    """Return records of which some are spoilt."""
    found = list(records)
    for at, (what, name, odd, way) in spoils:
        place = at % len(found)
        record = found[place]
        if what == "header":
            found[place] = record._replace(headers=with_header(record.headers, name, odd, way))
        elif _is_plain(record.value):
            found[place] = record._replace(value=with_field(record.value, name, odd))
    return found


def _is_plain(value: bytes | None) -> bool:
    try:
        return isinstance(json.loads(value or b""), dict)
    except (ValueError, RecursionError):
        return False
