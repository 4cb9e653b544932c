"""Folders and files of one owner: nobody else reads them, and none made by somebody else is used.

All services write values of executions to disk, and some of those folders lie in places that
everybody on the machine may write to. So every such folder and file is made here: modes are set
explicitly, since the umask of a process is not ours to rely on, and what lies there already is
judged by what it is (`fstat` of the opened folder), never by its path.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from steplog_contracts.errors import SteplogError

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_WRITABLE_BY_OTHERS: Final = 0o022
_OPEN_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotPrivate(SteplogError):
    """A folder or file that somebody else made or may change; nothing was read or written there."""


def private_folder(path: Path, *, owner: int | None = None, mode: int = FOLDER_MODE) -> Path:
    """Make a folder that only its owner enters, or check and narrow the one that is there.

    `owner` is the user id it is given to; ours if left out.

    Raises:
        NotPrivate: the path is a link or no folder, belongs to another user, or others may write.
        OSError: it can't be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=mode)
        is_new = True
    except FileExistsError:
        is_new = False
    try:
        descriptor = os.open(path, _OPEN_FOLDER)
    except OSError as error:
        if path.is_symlink() or not path.is_dir():
            raise NotPrivate(f"{path} is no folder of its own; remove it or choose another.") from (
                error
            )
        raise
    try:
        _require_ours(path, os.fstat(descriptor), owner, is_new=is_new)
        os.fchmod(descriptor, mode)
        if owner is not None and owner != os.geteuid():
            os.fchown(descriptor, owner, -1)
    finally:
        os.close(descriptor)
    return path


def private_file(path: Path, mode: int = FILE_MODE) -> Path:
    """Make an empty file that only its owner reads, or narrow the one that is there if it is ours.

    One that is there is not opened: closing it would drop locks this process has on it.

    Raises:
        OSError: it can't be made.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            path.chmod(mode)
        return path
    os.fchmod(descriptor, mode)
    os.close(descriptor)
    return path


def open_private(path: Path, *, append: bool = False, mode: int = FILE_MODE) -> BinaryIO:
    """Open a file to write bytes that only its owner reads; without `append` it is emptied.

    Raises:
        OSError: it can't be opened.
    """
    how = os.O_APPEND if append else os.O_TRUNC
    descriptor = _private_descriptor(path, os.O_WRONLY | os.O_CREAT | how, mode)
    return os.fdopen(descriptor, "ab" if append else "wb")


def is_ours(path: Path) -> bool:
    """Whether a file was written by us: no link, our own, and nobody else may write in it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return (
        stat.S_ISREG(found.st_mode)
        and found.st_uid == os.geteuid()
        and not found.st_mode & _WRITABLE_BY_OTHERS
    )


def write_private(path: Path, text: str) -> None:
    """Write a text file that only its owner reads."""
    with open_private(path) as file:
        file.write(text.encode())


def _private_descriptor(path: Path, flags: int, mode: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, mode)
    found = os.fstat(descriptor)
    # A device, a pipe or a file of another user keeps what its owner gave it.
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
        os.fchmod(descriptor, mode)
    return descriptor


def _require_ours(path: Path, found: os.stat_result, owner: int | None, *, is_new: bool) -> None:
    if found.st_uid not in (os.geteuid(), owner):
        raise NotPrivate(f"{path} belongs to another user; remove it or choose another folder.")
    # Under a umask of 0 a folder of ours is narrowed before anything is in it.
    if not is_new and found.st_mode & _WRITABLE_BY_OTHERS:
        raise NotPrivate(
            f"Others on this machine may write in {path}; if you trust what is in it, run "
            f"`chmod -R go-rwx {path}`, else remove it."
        )
