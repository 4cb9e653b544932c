"""Filters and counts by metadata find what was stored, whatever it is, on both databases."""

import json
from typing import Any

import pytest

from tests.conformance.stores import ReadModelUnderTest
from tests.tracker.histories import History, Log
from tracker_service.store.queries import ExecutionFilter
from tracker_service.store.sql.metadata_text import metadata_text

# Metadata as JSON text; a key and the text it is found by.
STORED = [
    (r'{"path": "C:\\udata\\x", "customer": "p42"}', "customer", "p42"),
    (r'{"path": "C:\\udata\\x", "customer": "p42"}', "path", r"C:\udata\x"),
    (r'{"nul": "\u0000", "customer": "p42"}', "customer", "p42"),
    (r'{"nul": "a\u0000b"}', "nul", "a\x00b"),
    (r'{"nul": "a\u0000b"}', "nul", r"a\u0000b"),
    (r'{"text": "\\u0000"}', "text", r"\u0000"),
    (r'{"text": "\\\\u0000 \\\u0000"}', "text", "\\\\u0000 \\\x00"),
    (r'{"a\u0000b": 1}', "a\x00b", "1"),
    (r'{"smile": "\ud83d\ude00"}', "smile", "😀"),
    ('{"order": 12345678901234567890}', "order", "12345678901234567890"),
    ('{"v": 0.30000000000000004}', "v", "0.30000000000000004"),
    ('{"v": -9223372036854775809}', "v", "-9223372036854775809"),
    ('{"flag": true}', "flag", "true"),
    ('{"flag": false}', "flag", "false"),
    ('{"é": "ü"}', "é", "ü"),
    ('{"a.b": "x"}', "a.b", "x"),
    (r'{"a\"b\\": "x"}', 'a"b\\', "x"),
    ('{"": "x"}', "", "x"),
    ('{"$": "x"}', "$", "x"),
    ('{"k": "' + "x" * 5000 + '"}', "k", "x" * 5000),
    ('{"k": ""}', "k", ""),
]


@pytest.mark.parametrize(("stored", "key", "text"), STORED)
async def test_what_was_stored_is_found_and_counted(
    rows: ReadModelUnderTest, stored: str, key: str, text: str
) -> None:
    await received(rows, stored)
    wanted = ExecutionFilter(metadata=((key, text),))

    found = [row["execution_id"] for row in await rows.model.executions(wanted)]
    counts = await rows.model.counts(wanted)

    assert found == ["odd"]
    assert sum(counts.by_status.values()) == 1


@pytest.mark.parametrize("stored", ['{"k": null}', "{}", r'{"other": "\u0000"}'])
async def test_null_and_what_is_not_there_are_not_found(
    rows: ReadModelUnderTest, stored: str
) -> None:
    await received(rows, stored)

    assert not await rows.model.executions(ExecutionFilter(metadata=(("k", "null"),)))


async def received(rows: ReadModelUnderTest, stored: str) -> None:
    """Apply an execution with such metadata, and one without."""
    odd = History("odd").started()
    value = (odd.value or b"").replace(b'"metadata":{}', b'"metadata":' + stored.encode())
    plain = History("plain").started(metadata={"other": 1})
    await rows.receives(Log().append([odd._replace(value=value), plain]))


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (r'{"k": "\ud800"}', r"\ud800"),
        (r'{"k": "\ude00\ud83d"}', r"\ude00\ud83d"),
        ('{"k": {"a": 1}}', '{"a": 1}'),
        ("[" * 100_000, None),
        ("null", None),
        (None, None),
    ],
)
def test_what_is_no_text_stands_as_it_was_written(stored: str | None, text: Any) -> None:
    assert metadata_text(stored, "k") == text


def test_of_a_key_given_twice_the_last_counts() -> None:
    assert metadata_text('{"k": 1, "k": 2}', "k") == json.dumps(2)
