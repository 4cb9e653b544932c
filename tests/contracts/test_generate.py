"""What is published is what the models say, and what was published before still reads."""

import json
from pathlib import Path

import pytest
import yaml

from steplog_contracts.codec import decode_event
from steplog_contracts.publishing.compatibility import breaking_changes
from steplog_contracts.publishing.generate import ASYNCAPI, SCHEMAS, out_of_date, payload_schemas

FIRST_RELEASE = Path(__file__).parent / "first_release"


def test_published_files_are_current() -> None:
    """Otherwise: python -m steplog_contracts.publishing.generate."""
    assert out_of_date() == []


def test_no_schema_of_a_type_that_is_gone_stays_behind() -> None:
    published = {path.stem for path in SCHEMAS.glob("steplog.*.json")}

    assert published == set(payload_schemas())


@pytest.mark.parametrize("path", sorted(FIRST_RELEASE.glob("*.json")), ids=lambda path: path.stem)
def test_schemas_only_grew_since_the_first_release(path: Path) -> None:
    """The files of the first release are never written again."""
    old = json.loads(path.read_text())

    assert breaking_changes(old, payload_schemas()[path.stem]) == []


def test_the_first_release_is_compared_whole() -> None:
    assert len(list(FIRST_RELEASE.glob("*.json"))) >= 21


def test_events_recorded_by_the_first_release_are_still_read() -> None:
    """Raw bytes, kept as they were written and never regenerated."""
    lines = (FIRST_RELEASE / "events.jsonl").read_text().splitlines()
    for line in lines:
        stored = json.loads(line)
        headers = [(name, value.encode()) for name, value in stored["headers"]]

        decoded = decode_event(stored["value"].encode(), headers)

        assert decoded.envelope.execution_id == "e-1"
        assert decoded.event.event_type == dict(stored["headers"])["ce_type"]
    assert len(lines) == 16


def test_the_asyncapi_document_names_every_message_and_the_schema_it_refers_to() -> None:
    document = yaml.safe_load(ASYNCAPI.read_text())
    messages = document["components"]["messages"].values()

    assert document["asyncapi"] == "3.0.0"
    assert {message["name"] for message in messages} == set(payload_schemas())
    assert all((ASYNCAPI.parent / m["payload"]["$ref"]).is_file() for m in messages)
