"""Values stored beside the log, as the process sees them: put, fetched, tried again, bounded.

The store itself is a port of plain blocking calls; here they run in threads of their own, so the
event loop never waits for a disk.
"""

import asyncio
import functools
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

import structlog
from pydantic_core import from_json

from executor_service.payload_errors import (
    REMEDY,
    PayloadMissing,
    PayloadNotStored,
    PayloadTooLarge,
    StoreUnavailable,
)
from steplog_contracts.data_ref import MAX_STORED_BYTES, DataRef, References, distinct
from steplog_contracts.errors import AlteredPayload, sentence_for_callers
from steplog_contracts.limits import MAX_UNSTORED_BYTES
from steplog_contracts.payload import MAX_INLINE_PAYLOAD_BYTES, JsonValue

MAX_TRANSFERS_AT_ONCE: Final = 8
TRANSFER_TIMEOUT_S: Final = 120.0
# Pauses before another try; once they are used up the value counts as not storable.
PUT_PAUSES_S: Final = (0.1, 0.5, 2.0)
LONGEST_FETCH_PAUSE_S: Final = 15.0

_log = structlog.get_logger(__name__)
# Runs blocking work elsewhere and returns its result.
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class PayloadStore(Protocol):
    """Objects by the sha256 of their bytes; every method blocks. Nothing is ever removed."""

    def uri_of(self, sha256: str) -> str:
        """Return where an object is, for readers of other makes; holds no secret."""

    def put(self, sha256: str, data: bytes) -> None:
        """Keep an object, whole or not at all; one that is there already is left alone.

        Raises:
            StoreUnavailable: it is not kept, for whatever reason.
        """

    def get(self, sha256: str, size_bytes: int) -> bytes:
        """Return an object, at most one byte more than `size_bytes` of it.

        Raises:
            PayloadMissing: there is no such object.
            StoreUnavailable: the store does not answer.
        """


class Payloads:
    """One process's way to the store, if it has one, and the size above which values go there."""

    def __init__(
        self,
        store: PayloadStore | None = None,
        max_inline_bytes: int = MAX_INLINE_PAYLOAD_BYTES,
        *,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        in_thread: InThread | None = None,
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._in_thread = in_thread or _in_thread
        self.max_inline_bytes = max_inline_bytes if store is not None else MAX_UNSTORED_BYTES

    @property
    def stores(self) -> bool:
        """Whether there is a store."""
        return self._store is not None

    async def put(self, data: bytes) -> DataRef:
        """Keep a value's JSON and return the reference to it; the same value is kept once.

        Raises:
            PayloadTooLarge: no store is configured, or not even a store takes it.
            PayloadNotStored: the store failed, however often it was tried.
        """
        store = self._store
        if store is None or len(data) > MAX_STORED_BYTES:
            raise PayloadTooLarge(
                f"A value of {len(data)} bytes is larger than "
                + (f"the log takes ({MAX_UNSTORED_BYTES} bytes); {REMEDY}." if store is None else
                   f"a stored payload may be ({MAX_STORED_BYTES} bytes); keep it in a file or "
                   "table of your own and return its name.")
            )  # fmt: skip
        sha256 = await self._in_thread(lambda: hashlib.sha256(data).hexdigest())
        for pause_s in (*PUT_PAUSES_S, None):
            try:
                await self._in_thread(functools.partial(store.put, sha256, data))
                break
            except StoreUnavailable as error:
                _log.warning("payload_put_failed", sha256=sha256, reason=str(error))
                if pause_s is None:
                    # What is raised is recorded, and shown to whoever may see the execution.
                    raise PayloadNotStored(
                        f"A value of {len(data)} bytes could not be stored: "
                        f"{sentence_for_callers(error)} See that STEPLOG_PAYLOAD_STORE can be "
                        "reached and written, then try again."
                    ) from error
                await self._sleep(pause_s)
        return DataRef(uri=store.uri_of(sha256), sha256=sha256, size_bytes=len(data))

    async def fetch(self, reference: DataRef) -> JsonValue:
        """Return a stored value; while the store is away, go on trying.

        Raises:
            PayloadMissing: it is not there, or no store is configured.
            AlteredPayload: what is there is not what was written.
        """
        pause_s = PUT_PAUSES_S[0]
        while True:
            try:
                return await self._fetch_once(reference)
            except StoreUnavailable as error:
                _log.warning("payload_fetch_failed", uri=reference.uri, reason=str(error))
                await self._sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_FETCH_PAUSE_S)

    async def fetch_all(self, *references: References | None) -> Mapping[str, JsonValue]:
        """Return every value referred to, by its sha256; raises as `fetch` does."""
        return {reference.sha256: await self.fetch(reference) for reference in distinct(references)}

    async def _fetch_once(self, reference: DataRef) -> JsonValue:
        store = self._store
        if store is None:
            raise PayloadMissing(
                f"The stored payload {reference.sha256} can't be read without a store; {REMEDY}."
            )
        if reference.size_bytes > MAX_STORED_BYTES:
            raise PayloadMissing(
                f"The stored payload {reference.sha256} is said to have {reference.size_bytes} "
                f"bytes; at most {MAX_STORED_BYTES} are read."
            )

        def read() -> JsonValue:
            data = store.get(reference.sha256, reference.size_bytes)
            reference.check(data)
            try:
                return from_json(data, allow_inf_nan=False)
            except ValueError as error:
                raise AlteredPayload(
                    f"The stored payload {reference.sha256} is no JSON: {error}."
                ) from error

        return await self._in_thread(read)


async def _in_thread(work: Callable[[], Any]) -> Any:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(TRANSFER_TIMEOUT_S):
            return await loop.run_in_executor(_threads(), work)
    except TimeoutError as error:
        raise StoreUnavailable(f"It did not answer within {TRANSFER_TIMEOUT_S:g} s.") from error


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_TRANSFERS_AT_ONCE, thread_name_prefix="steplog-payload")
