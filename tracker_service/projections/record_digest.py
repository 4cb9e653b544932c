"""A digest of one record: by it a log is known to be the one that rows were made from.

An offset tells little: a log that lost its newest records grows past it again, with others.
"""

import hashlib

from steplog_contracts.envelope import format_time
from tracker_service.projections.record_header import Heading, LogRecord, Unreadable

_DIGEST_BYTES = 12
# How the digest was made: from what was read of the record, or from its bytes.
_READ, _RAW = "h", "r"


def digest_of(record: LogRecord, heading: Heading | Unreadable) -> str:
    """Return the digest of a record and the heading read from it."""
    if isinstance(heading, Unreadable):
        return _raw(record)
    place = (
        f"{heading.kind}\n{heading.execution_id}\n{heading.seq}\n{heading.epoch}\n"
        f"{format_time(heading.time)}\n"
    )
    digest = hashlib.blake2b(place.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES)
    digest.update(record.value or b"")
    return f"{_READ}{digest.hexdigest()}"


def is_other(stored: str, record: LogRecord, heading: Heading | Unreadable) -> bool:
    """Whether a record is certainly not the one whose digest was stored.

    One that another version read differently is not told from it.
    """
    if stored.startswith(_RAW):
        return stored != _raw(record)
    return isinstance(heading, Heading) and stored != digest_of(record, heading)


def _raw(record: LogRecord) -> str:
    digest = hashlib.blake2b(record.value or b"", digest_size=_DIGEST_BYTES)
    for name, text in record.headers:
        digest.update(b"\x00%b\x00%b" % (name.encode(errors="surrogatepass"), text or b""))
    return f"{_RAW}{digest.hexdigest()}"
