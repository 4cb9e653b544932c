"""Fetching one stored value for somebody who asks for it; nothing else of the tracker fetches any.

A reference is looked for by its sha256 below the configured store and nowhere else, whatever its
`uri` says, and only what the rows of an execution refer to is ever looked for.
"""

import asyncio
import json
from typing import Any, Final, Protocol

import fsspec

from steplog_contracts.data_ref import DataRef, filled, keys_of, object_name
from tracker_service.projections.errors import TrackerError

# The longest value that is handed out; a larger one is for whoever can read the store itself.
MAX_READ_BYTES: Final = 64 * 1024 * 1024
READ_TIMEOUT_S: Final = 30.0
# Each holds a whole value in memory.
MAX_READS_AT_ONCE: Final = 4


class NoPayloadStore(TrackerError):
    """The store is not configured here, can't be used or does not answer."""

    for_callers = "The payload store can't be read at the moment; the log lines of the API say why."


class NotConfigured(NoPayloadStore):
    """This process was given no store."""

    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"The stored payload {sha256} can't be read here; set STEPLOG_PAYLOAD_STORE as for the "
            "executor."
        )
        self.for_callers = str(self)


class PayloadGone(TrackerError):
    """A stored value is not in the store any more."""


class PayloadTooLong(TrackerError):
    """A stored value is longer than what is handed out."""


class PayloadReader(Protocol):
    """Reads stored values."""

    async def read(self, reference: DataRef) -> bytes:
        """Return a value's JSON, whole and verified.

        Raises:
            NoPayloadStore, PayloadGone, PayloadTooLong, AlteredPayload: what each name says.
        """


class NoReader:
    """Stands where no store is configured."""

    async def read(self, reference: DataRef) -> bytes:
        """Say so."""
        raise NotConfigured(reference.sha256)


class FsspecReader:
    """Reads from a folder or anything else that fsspec knows."""

    def __init__(self, url: str) -> None:
        """Raises `NoPayloadStore` for a URL that can't be used."""
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except Exception as error:  # Whatever the implementation of that kind raises.
            raise NoPayloadStore(
                f"STEPLOG_PAYLOAD_STORE can't be used: {error}; give a folder or a URL whose "
                "fsspec package is installed (s3fs for s3://)."
            ) from error
        self._reads = asyncio.Semaphore(MAX_READS_AT_ONCE)

    async def read(self, reference: DataRef) -> bytes:
        """Return a value's JSON; see `PayloadReader.read`."""
        if reference.size_bytes > MAX_READ_BYTES:
            raise PayloadTooLong(
                f"The stored payload {reference.sha256} has {reference.size_bytes} bytes and at "
                f"most {MAX_READ_BYTES} are handed out; read it from the store itself."
            )
        try:
            async with self._reads, asyncio.timeout(READ_TIMEOUT_S):
                data = await asyncio.to_thread(self._read, reference)
        except FileNotFoundError as error:
            raise PayloadGone(f"The stored payload {reference.sha256} is not there.") from error
        except Exception as error:  # Every store has exceptions of its own.
            raise NoPayloadStore(f"The payload store does not answer: {error!r}.") from error
        reference.check(data)
        return data

    def _read(self, reference: DataRef) -> bytes:
        path = f"{self._root.rstrip('/')}/{object_name(reference.sha256)}"
        with self._files.open(path, "rb") as file:
            data: Any = file.read(reference.size_bytes + 1)
        return bytes(data)


async def with_values(reader: PayloadReader, record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with every stored value of its own in its place.

    Raises:
        NoPayloadStore, PayloadGone, PayloadTooLong, AlteredPayload: as `PayloadReader.read`.
    """
    stored = {
        place: DataRef(**found)
        for place, found in (record.get("references") or {}).items()
        if keys_of(place)[0] in record  # A question's are those of its interaction.
    }
    size_bytes = sum(reference.size_bytes for reference in stored.values())
    if size_bytes > MAX_READ_BYTES:
        raise PayloadTooLong(
            f"The record's stored values have {size_bytes} bytes together and at most "
            f"{MAX_READ_BYTES} are put into one; read them one by one."
        )
    read = {place: json.loads(await reader.read(found)) for place, found in stored.items()}
    return filled(record, read) | {"references": None}


def make_reader(url: str | None) -> PayloadReader:
    """Return the reader for a setting that may not be set."""
    return FsspecReader(url) if url else NoReader()
