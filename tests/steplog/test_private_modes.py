"""What steplog writes is its owner's alone, and a token is sent to nobody else's server."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor_service.adapters.embedded.lock import EmbeddedLock, Holder
from executor_service.adapters.fsspec_store import FsspecStore
from steplog.embedded.holder_address import token_for
from steplog.errors import DataFolderUnusable
from steplog.local.child import Child, Program
from steplog.local.data_folder import DataFolder
from tests.steplog.cli.command_line import steplog
from tests.steplog.cli.plain_steps import definition
from tests.steplog.local.test_shown_addresses import a_state
from tracker_service.store.sqlite import SqliteStore

SHA = "ab" * 32


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> dict[str, str]:
    """Return what others may read, write or enter below a folder, and the folder itself."""
    found = (folder, *folder.rglob("*"))
    modes = {str(path): stat.S_IMODE(path.lstat().st_mode) for path in found}
    return {path: oct(mode) for path, mode in modes.items() if mode & 0o077}


@pytest.mark.usefixtures("any_umask")
def test_a_run_and_an_export_leave_nothing_open_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(definition("Greet")))
    data, large = f"--data={folder / 'x.db'}", json.dumps({"name": "x" * 100_000})
    ran = steplog("run", str(file), "--embedded", data, "--wait", "--input", large)
    exports = [
        steplog("export", "--all", "--out", str(folder / f"out.{kind}"), "--embedded", data)
        for kind in ("jsonl", "parquet")
    ]

    assert ran.exit_code == 0, ran.err
    assert [one.exit_code for one in exports] == [0, 0], exports
    assert any(path.name == "x.db-payloads" for path in folder.iterdir())
    assert open_to_others(folder) == {}


@pytest.mark.usefixtures("any_umask")
async def test_a_read_model_in_a_file_is_its_owners(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir(mode=0o700)
    store = SqliteStore(folder / "rows.db")
    await store.open()
    found = open_to_others(folder)
    await store.close()

    assert found == {}


@pytest.mark.usefixtures("any_umask")
def test_a_stacks_folder_logs_and_state_are_its_owners(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    folder.write_state(a_state())
    made = folder.root / "made-by-the-server"
    child = Child.start(Program("touch", ("touch", str(made)), folder.log_of("touch")))
    while child.exit_code is None:
        pass

    assert made.exists()
    assert open_to_others(folder.root) == {}


@pytest.mark.usefixtures("any_umask")
@pytest.mark.parametrize(("shared", "modes"), [(False, {0o600, 0o700}), (True, {0o640, 0o750})])
def test_a_payload_store_is_its_owners_or_its_groups(
    tmp_path: Path, shared: bool, modes: set[int]
) -> None:
    FsspecStore(str(tmp_path / "store"), shared=shared).put(SHA, b"x")

    made = [tmp_path / "store", *(tmp_path / "store").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == modes


def test_a_stacks_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)

    with pytest.raises(DataFolderUnusable, match="Others on this machine may write"):
        DataFolder(tmp_path / "data").create()


def test_a_state_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    """Clients send their token where it points."""
    folder = DataFolder(tmp_path / "data")
    folder.create()
    folder.write_state(a_state())
    (folder.root / "stack.json").chmod(0o666)

    assert folder.read_state() is None


@pytest.mark.parametrize(
    ("pid", "url", "sent"),
    # No pid is this process's own, which differs from one run to the next: it may name no test.
    [
        (None, "http://127.0.0.1:8400", "t"),
        (None, "http://[::1]:8400", "t"),
        (None, "http://localhost:8400", "t"),
        (None, "http://192.0.2.7:8400", None),
        (None, "http://127.0.0.1.evil.example:8400", None),
        (None, "http://localhost@evil.example", None),
        (2**30, "http://127.0.0.1:8400", None),
        (-1, "http://127.0.0.1:8400", None),
        (0, "http://127.0.0.1:8400", None),
    ],
)
def test_a_token_is_sent_to_a_server_of_ours_on_this_machine_alone(
    tmp_path: Path, pid: int | None, url: str, sent: str | None
) -> None:
    holder = Holder(os.getpid() if pid is None else pid, url)
    lock = EmbeddedLock(tmp_path / "x.db")
    lock.take()
    lock.tell(holder)

    assert token_for(lock, holder, "t") == sent
    lock.release()


@pytest.mark.parametrize("changed", ["mode", "owner"])
def test_a_token_is_not_sent_where_a_lock_of_others_points(
    tmp_path: Path, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, holder = EmbeddedLock(tmp_path / "x.db"), Holder(os.getpid(), "http://127.0.0.1:1")
    lock.take()
    if changed == "mode":
        lock.path.chmod(0o666)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: lock.path.stat().st_uid + 1)

    assert token_for(lock, holder, "t") is None
    lock.release()
