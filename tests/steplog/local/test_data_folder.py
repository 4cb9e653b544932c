"""One stack on one folder, whose files stay private and bounded."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from steplog.errors import DataFolderUnusable, StackBusy
from steplog.local.data_folder import LOG_LIMIT_BYTES, DataFolder
from steplog.local.stack_state import StackState


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """Return a folder that exists."""
    folder = DataFolder(tmp_path / "data")
    folder.create()
    return folder


def test_a_held_folder_refuses_a_second_stack(folder: DataFolder) -> None:
    with folder.held():
        held = folder.is_held()
        with pytest.raises(StackBusy, match="already runs"), folder.held():
            pass

    assert held
    assert not folder.is_held()


def test_a_folder_below_a_file_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DataFolderUnusable, match="choose another with --data-dir"):
        DataFolder(tmp_path / "file" / "data").create()


def test_a_state_is_read_back_and_private(folder: DataFolder) -> None:
    """It holds the database's address, which may hold a password."""
    state = StackState(
        supervisor_pid=1, started_at=datetime.now(UTC), topic_namespace="n", partitions=8
    )

    folder.write_state(state)

    assert folder.read_state() == state
    assert stat.S_IMODE((folder.root / "stack.json").stat().st_mode) == 0o600


def test_a_broken_state_counts_as_none(folder: DataFolder) -> None:
    (folder.root / "stack.json").write_text("{")

    assert folder.read_state() is None


def test_a_log_that_grew_too_long_is_set_aside(folder: DataFolder) -> None:
    log = folder.log_of("executor")
    with log.open("ab") as writer:
        writer.truncate(LOG_LIMIT_BYTES + 1)
        folder.trim_logs()
        writer.write(b"after")

    assert log.read_bytes() == b"after"
    assert os.stat(folder.logs / "executor.log.1").st_size == LOG_LIMIT_BYTES + 1


def test_the_folder_keeps_itself_out_of_version_control(folder: DataFolder) -> None:
    assert (folder.root / ".gitignore").read_text() == "*\n"
