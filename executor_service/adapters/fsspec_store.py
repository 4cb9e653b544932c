"""The payload store over fsspec: a folder, S3, or anything else fsspec knows.

A folder gets each object by a temporary file that is synced and renamed, so no reader ever sees
half of one and a crash leaves a stray `.part` at most. Object stores write whole objects anyway.
"""

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import fsspec
from fsspec.implementations.local import LocalFileSystem

from executor_service.payload_errors import PayloadMissing, StoreUnavailable
from executor_service.service_errors import BadSetting
from steplog_contracts.data_ref import object_name

# Modes of files and folders: their owner's, or readable by the folder's group as well.
_PRIVATE = (0o600, 0o700)
_SHARED = (0o640, 0o750)


class FsspecStore:
    """Satisfies `payloads.PayloadStore`. Objects lie below the URL as `ab/abcd....json`."""

    def __init__(self, url: str, *, shared: bool = False) -> None:
        """`shared`: the group of a folder may read what is written there.

        Raises:
        BadSetting: the URL's kind is not known here, or its package is not installed.
        """
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except Exception as error:  # Whatever the implementation of that kind raises.
            raise BadSetting(
                f"STEPLOG_PAYLOAD_STORE={without_secrets(url)!r} can't be used: {error}; give a "
                "folder or a URL whose fsspec package is installed (s3fs for s3://)."
            ) from error
        self._modes = _SHARED if shared else _PRIVATE
        self._is_folder = isinstance(self._files, LocalFileSystem)
        self._url = Path(self._root).as_uri() if self._is_folder else without_secrets(url)

    def uri_of(self, sha256: str) -> str:
        """Return where an object is; user and password of the URL are left out."""
        return f"{self._url.rstrip('/')}/{object_name(sha256)}"

    def put(self, sha256: str, data: bytes) -> None:
        """Keep an object; see `PayloadStore.put`."""
        path = self._path(sha256)
        try:
            if self._kept_size(path) == len(data):
                return
            if self._is_folder:
                _write_whole(Path(path), data, *self._modes)
            else:
                self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._files.pipe_file(path, data)
        except Exception as error:  # Every store has exceptions of its own.
            raise StoreUnavailable.of("does not take it", error, self._url) from error

    def get(self, sha256: str, size_bytes: int) -> bytes:
        """Return an object; see `PayloadStore.get`."""
        try:
            with self._files.open(self._path(sha256), "rb") as file:
                data: bytes = file.read(size_bytes + 1)
                return data
        except FileNotFoundError as error:
            raise PayloadMissing(
                f"The stored payload {sha256} is not there; restore it from a backup of the store, "
                "or correct STEPLOG_PAYLOAD_STORE."
            ) from error
        except Exception as error:
            raise StoreUnavailable.of("does not answer", error, self._url) from error

    def _path(self, sha256: str) -> str:
        return f"{self._root.rstrip('/')}/{object_name(sha256)}"

    def _kept_size(self, path: str) -> Any:
        try:
            return self._files.size(path)
        except FileNotFoundError:
            return None


def _write_whole(path: Path, data: bytes, file_mode: int, folder_mode: int) -> None:
    _make_folder(path.parent, folder_mode)
    handle, part = tempfile.mkstemp(suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(part).chmod(file_mode)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _make_folder(folder: Path, mode: int) -> None:
    """Make a folder and the store's own above it; what is there keeps what it was given."""
    if folder.is_dir():
        return
    if not folder.parent.is_dir():
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        _make_folder(folder.parent, mode)
    try:
        folder.mkdir(mode)
        folder.chmod(mode)  # Whatever the umask is.
    except FileExistsError:  # Another writer was first.
        return


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def without_secrets(url: str) -> str:
    """Return a URL without user, password and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
