"""Stored values handed out one at a time, from a real folder."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from steplog_contracts import events
from steplog_contracts.data_ref import DataRef, object_name
from steplog_contracts.stored_value import StoredValue
from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.tracker.histories import History, Log
from tracker_service.api_server.app import make_app
from tracker_service.execution_tracker import ExecutionTracker
from tracker_service.payload_reader import (
    MAX_READ_BYTES,
    FsspecReader,
    NoPayloadStore,
    PayloadTooLong,
    make_reader,
)

VALUE = b'["' + b"x" * 100_000 + b'"]'
SHA256 = hashlib.sha256(VALUE).hexdigest()
# Where it says it is, is not where it is looked for.
REFERENCE = DataRef(uri="s3://elsewhere/x.json", sha256=SHA256, size_bytes=len(VALUE))


class Kept:
    """The value as an object in a store."""

    def __init__(self, store: Path) -> None:
        self._path = store / object_name(SHA256)
        self._path.parent.mkdir(parents=True)
        self.becomes(VALUE)

    def becomes(self, data: bytes) -> None:
        """Hold something else."""
        self._path.write_bytes(data)

    def goes(self) -> None:
        """Be there no more."""
        self._path.unlink()

    def becomes_unreadable(self) -> None:
        """Be a folder."""
        self.goes()
        self._path.mkdir()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """Return the value, stored."""
    return Kept(tmp_path / "store")


@pytest.fixture
async def api(tmp_path: Path, kept: Kept) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an API over the store and an execution that refers to the value."""
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        log, history = Log(), History("e-1")
        definition = {"name": "P", "secrets": ["password"]}
        log.append([history.started(), History("e-2").started(input=1)])
        secret = History("e-3").started(
            definition=definition,
            input={"password": None},
            references={"/input/password": REFERENCE},
        )
        log.append(secret)
        output = events.ExecutionCompleted(references={"/output": REFERENCE})
        log.append(history.record(output))
        await rows.receives(log.entries)
        app = make_app(rows.model, TOPIC, None, FsspecReader(str(tmp_path / "store")))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield client


async def test_a_value_is_handed_out_as_it_was_stored(api: httpx.AsyncClient) -> None:
    execution = (await api.get("/api/executions/e-1")).json()["execution"]
    [(pointer, reference)] = execution["references"].items()
    answer = await api.get(f"/api/executions/e-1/payloads/{reference['sha256']}")

    assert pointer == "/output_data"
    assert answer.content == VALUE
    assert answer.headers["content-type"] == "application/json"


async def test_only_what_the_execution_refers_to_is_looked_for(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"/api/executions/e-2/payloads/{SHA256}")

    assert answer.status_code == 404
    assert "No record of execution e-2" in answer.json()["detail"]


async def test_a_secret_stays_masked(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"/api/executions/e-3/payloads/{SHA256}")

    assert answer.json() == "***"


async def test_a_name_that_is_no_sha256_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/executions/e-1/payloads/..%2F..%2Fetc")

    assert answer.status_code in {404, 422}


async def test_an_altered_value_is_not_handed_out(api: httpx.AsyncClient, kept: Kept) -> None:
    kept.becomes(VALUE.replace(b"x", b"y"))
    answer = await api.get(f"/api/executions/e-1/payloads/{SHA256}")

    assert answer.status_code == 410
    assert "is not what was written" in answer.json()["detail"]


async def test_a_longer_value_in_its_place_is_not_read_whole(
    api: httpx.AsyncClient, kept: Kept
) -> None:
    kept.becomes(VALUE * 3)
    answer = await api.get(f"/api/executions/e-1/payloads/{SHA256}")

    assert answer.status_code == 410


async def test_a_missing_value_is_said_to_be_missing(api: httpx.AsyncClient, kept: Kept) -> None:
    kept.goes()
    answer = await api.get(f"/api/executions/e-1/payloads/{SHA256}")

    assert answer.status_code == 410
    assert f"{SHA256} is not there" in answer.json()["detail"]


async def test_a_store_that_does_not_answer_is_a_503(api: httpx.AsyncClient, kept: Kept) -> None:
    kept.becomes_unreadable()
    answer = await api.get(f"/api/executions/e-1/payloads/{SHA256}")

    assert answer.status_code == 503


async def test_the_tracker_puts_values_into_a_record_when_asked_to(
    api: httpx.AsyncClient, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'rows.db'}"
    async with ExecutionTracker(url, str(tmp_path / "store")) as tracker:
        plain = await tracker.get_execution("e-1")
        assert plain is not None
        fetched = await plain["output_data"].fetch()
        resolved = await tracker.get_execution("e-1", resolve=True)

    assert resolved is not None
    stored = plain["output_data"]
    assert isinstance(stored, StoredValue)
    assert (stored.size_bytes, plain["references"].keys()) == (len(VALUE), {"/output_data"})
    assert fetched == ["x" * 100_000]
    assert resolved["output_data"] == ["x" * 100_000]
    assert resolved["references"] is None


MARK = {"$stored": REFERENCE.model_dump()}
ANSWERS = (
    "/api/executions/e-1",
    "/api/executions?pipeline_id=p",
    "/api/executions/e-1?as_of=2026-06-01T00:00:00Z",
    "/api/execute/e-1",
)


@pytest.mark.parametrize("path", ANSWERS)
async def test_no_answer_has_null_in_the_place_of_a_stored_value(
    api: httpx.AsyncClient, path: str
) -> None:
    found = (await api.get(path)).json()
    record = found.get("execution") or next(
        (one for one in found.get("items", ()) if one["execution_id"] == "e-1"), found
    )

    assert record["output_data"] == MARK


async def test_a_list_of_the_past_marks_stored_values(api: httpx.AsyncClient) -> None:
    items = (await api.get("/api/executions", params={"as_of": "2026-06-01T00:00:00Z"})).json()

    (record,) = [one for one in items["items"] if one["execution_id"] == "e-1"]
    assert record["output_data"] == MARK


async def test_a_mark_is_not_laid_over_a_masked_value(api: httpx.AsyncClient) -> None:
    execution = (await api.get("/api/executions/e-3")).json()["execution"]

    assert execution["input_data"] == {"password": "***"}


async def test_what_is_too_long_is_not_read() -> None:
    long = DataRef(uri="x", sha256=SHA256, size_bytes=MAX_READ_BYTES + 1)

    with pytest.raises(PayloadTooLong, match="read it from the store itself"):
        await FsspecReader("memory://p").read(long)


async def test_without_a_store_the_setting_is_named() -> None:
    with pytest.raises(NoPayloadStore, match="STEPLOG_PAYLOAD_STORE"):
        await make_reader(None).read(REFERENCE)


def test_a_kind_of_store_nobody_knows_is_named() -> None:
    with pytest.raises(NoPayloadStore, match="can't be used"):
        make_reader("nosuch://x")


async def test_the_page_shows_a_stored_value_or_a_link_to_it(
    api: httpx.AsyncClient, kept: Kept
) -> None:
    shown = await api.get("/executions/e-1/values?fragment")
    kept.goes()
    gone = await api.get("/executions/e-1/values?fragment")

    assert "xxxx" in shown.text
    assert f'<a href="/api/executions/e-1/payloads/{SHA256}">Open it</a>' in gone.text
