"""Folders and files are their owner's alone, under any umask, and no stranger's are used."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from steplog_contracts.private_files import (
    NotPrivate,
    open_private,
    private_file,
    private_folder,
    write_private,
)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("any_umask")
def test_what_is_made_is_its_owners_alone(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "folder")
    write_private(folder / "text", "x")
    private_file(folder / "empty")
    open_private(folder / "bytes", append=True).close()

    assert _mode(folder) == 0o700
    assert {_mode(path) for path in folder.iterdir()} == {0o600}


@pytest.mark.usefixtures("any_umask")
def test_what_was_readable_is_narrowed(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    folder.chmod(0o755)
    file.write_text("kept")
    file.chmod(0o644)

    private_folder(folder)
    private_file(file)

    assert (_mode(folder), _mode(file), file.read_text()) == (0o700, 0o600, "kept")


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o702])
def test_a_folder_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder").chmod(mode)

    with pytest.raises(NotPrivate, match="chmod -R go-rwx"):
        private_folder(tmp_path / "folder")


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(tmp_path).st_uid + 1)

    with pytest.raises(NotPrivate, match="belongs to another user"):
        private_folder(tmp_path / "folder")


@pytest.mark.parametrize("leads_to", ["folder", "file", "nowhere"])
def test_a_link_or_a_file_is_no_folder(tmp_path: Path, leads_to: str) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / leads_to)

    with pytest.raises(NotPrivate, match="no folder of its own"):
        private_folder(tmp_path / "link")
