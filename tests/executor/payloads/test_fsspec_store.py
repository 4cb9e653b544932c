"""The payload store on real files and in memory."""

import asyncio
import hashlib
import resource
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from executor_service.adapters.fsspec_store import FsspecStore, without_secrets
from executor_service.payload_errors import PayloadMissing, PayloadNotStored, StoreUnavailable
from executor_service.payloads.client import MAX_STORED_BYTES, Payloads, PayloadTooLarge
from executor_service.service_errors import BadSetting
from steplog_contracts.data_ref import object_name
from steplog_contracts.errors import AlteredPayload, sentence_for_callers

DATA = b'{"rows":[1,2,3]}'
FILE_LIMIT_BYTES = 4 * 1024 * 1024
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FsspecStore:
    """Return an empty store of either kind."""
    folder = str(tmp_path / "payloads")
    return FsspecStore(folder if request.param == "folder" else f"memory://{uuid.uuid4()}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a store."""
    return tmp_path / "payloads"


@contextmanager
def files_limited() -> Iterator[None]:
    """Let this process write no longer file than the limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def no_pause(seconds: float) -> None:
    """Don't wait."""


def payloads(folder: Path) -> Payloads:
    """Return payloads over a folder, in real threads."""
    return Payloads(FsspecStore(str(folder)), sleep=no_pause)


def test_what_is_put_is_got(store: FsspecStore) -> None:
    store.put(SHA256, DATA)

    assert store.get(SHA256, len(DATA)) == DATA
    assert store.uri_of(SHA256).endswith(f"/{object_name(SHA256)}")


def test_at_most_one_byte_more_is_read(store: FsspecStore) -> None:
    store.put(SHA256, DATA)

    assert store.get(SHA256, 3) == DATA[:4]


def test_what_is_not_there_is_missing_by_its_name(store: FsspecStore) -> None:
    with pytest.raises(PayloadMissing, match=SHA256):
        store.get(SHA256, 1)


def test_a_repeat_leaves_the_object_alone(folder: Path) -> None:
    store = FsspecStore(str(folder))
    store.put(SHA256, DATA)
    before = (folder / object_name(SHA256)).stat()
    store.put(SHA256, DATA)

    after = (folder / object_name(SHA256)).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_half_an_object_is_written_anew(folder: Path) -> None:
    """What a disk that was full left behind, written by something other than this store."""
    path = folder / object_name(SHA256)
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA[:5])
    FsspecStore(str(folder)).put(SHA256, DATA)

    assert path.read_bytes() == DATA


def test_writers_at_once_leave_one_whole_object_and_nothing_else(folder: Path) -> None:
    async def race() -> None:
        both = payloads(folder), payloads(folder)
        await asyncio.gather(*(one.put(DATA) for one in both * 8))

    asyncio.run(race())

    left = [path for path in folder.rglob("*") if path.is_file()]
    assert left == [folder / object_name(SHA256)]


def test_a_folder_that_can_not_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreUnavailable, match="does not take it"):
        FsspecStore(str(tmp_path / "file")).put(SHA256, DATA)


def test_what_is_recorded_of_a_store_that_is_away_names_no_place(tmp_path: Path) -> None:
    """A step's error is read by people who have no business with the store."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreUnavailable) as raised:
        FsspecStore(str(tmp_path / "file")).put(SHA256, DATA)

    assert str(tmp_path) in str(raised.value)
    assert sentence_for_callers(raised.value) == (
        "The payload store does not take it (Not a directory)."
    )


def test_a_write_that_stops_half_way_leaves_nothing_behind(folder: Path) -> None:
    """A limit on the size of files stands for a full disk: both fail a write already begun."""
    data = bytes(2 * FILE_LIMIT_BYTES)

    with files_limited(), pytest.raises(StoreUnavailable, match="does not take it"):
        FsspecStore(str(folder)).put(hashlib.sha256(data).hexdigest(), data)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_kind_of_store_nobody_knows_is_named_with_the_remedy() -> None:
    with pytest.raises(BadSetting, match="whose fsspec package is installed"):
        FsspecStore("nosuch://x")


def test_secrets_of_a_url_are_not_told() -> None:
    assert without_secrets("sftp://me:secret@host/p?token=1") == "sftp://host/p"


async def test_values_go_there_and_back(folder: Path) -> None:
    reference = await payloads(folder).put(DATA)

    assert await payloads(folder).fetch(reference) == {"rows": [1, 2, 3]}
    assert (reference.sha256, reference.size_bytes) == (SHA256, len(DATA))


async def test_an_altered_value_is_not_taken(folder: Path) -> None:
    reference = await payloads(folder).put(DATA)
    _overwrite(folder / object_name(SHA256), DATA.replace(b"1", b"9"))

    with pytest.raises(AlteredPayload, match="is not what was written"):
        await payloads(folder).fetch(reference)


async def test_a_store_that_never_takes_it_is_given_up_on(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    _overwrite(in_the_way, b"")

    with pytest.raises(PayloadNotStored, match="STEPLOG_PAYLOAD_STORE"):
        await payloads(in_the_way).put(DATA)


async def test_what_no_store_takes_is_refused_at_once(folder: Path) -> None:
    with pytest.raises(PayloadTooLarge, match="return its name"):
        await payloads(folder).put(bytes(MAX_STORED_BYTES + 1))


def _overwrite(path: Path, data: bytes) -> None:
    path.write_bytes(data)
