"""Ids already dealt with, on the seen topic, so that a repeat is known for one after a restart.

A record holds ids put down since the record before it, each as 8 bytes of its digest and the number
of the *chunk* of the events partition in which, or after which, its first event stands. An entry is
a hint of where to look and never a proof, so records need no claim: a former owner's late record
adds hints that are true or lead nowhere. The proof is always the event itself.
"""

import struct
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from steplog_contracts.envelope import Headers, Record, required_headers
from steplog_contracts.errors import UndecodableRecord
from steplog_contracts.headers import number_of, time_of
from steplog_contracts.refusal_codes import RefusalCode

SEEN_TYPE = "steplog.commands.seen.v1"
CLAIMS_HEADER = "claims"
CONTENT_TYPE_BYTES = b"application/octet-stream"
CHUNK_EVENTS = 1_024
# A record of at most 96 KiB.
MAX_IDS_PER_RECORD = 8_192
_ENTRY = struct.Struct("<QI")

# A digest of 64 bits and a chunk number.
Entry = tuple[int, int]


class SeenRecord(NamedTuple):
    """What one record says."""

    time: datetime
    claims: tuple[int, ...]  # Offsets of claims in the events partition, newly learned.
    entries: Iterable[Entry]


def encode_seen(
    entries: Iterable[Entry], claims: Iterable[int], *, record_id: str, source: str, time: datetime
) -> Record:
    """Return the record that puts down some ids and claims."""
    headers = required_headers(record_id, source, SEEN_TYPE, time, CONTENT_TYPE_BYTES)
    headers.append((CLAIMS_HEADER, ",".join(map(str, claims)).encode()))
    return Record(None, b"".join(_ENTRY.pack(*entry) for entry in entries), headers)


def decode_seen(value: bytes | None, headers: Headers) -> SeenRecord:
    """Read a record.

    Raises:
        UndecodableRecord: it is none of ours.
    """
    attributes = dict(headers)
    if attributes.get("ce_type") != SEEN_TYPE.encode() or value is None:
        raise UndecodableRecord(RefusalCode.BAD_PAYLOAD, "The record holds no ids.")
    time, told = time_of(attributes), attributes.get(CLAIMS_HEADER)
    if told is None:
        raise UndecodableRecord(
            RefusalCode.MISSING_HEADER, f"The header {CLAIMS_HEADER} is missing."
        )
    claims = tuple(number_of({CLAIMS_HEADER: n}, CLAIMS_HEADER, 0) for n in told.split(b",") if n)
    if len(value) % _ENTRY.size:
        raise UndecodableRecord(RefusalCode.BAD_PAYLOAD, "The record ends in the middle of an id.")
    return SeenRecord(time, claims, _entries(value))


def _entries(value: bytes) -> Iterator[Entry]:
    return _ENTRY.iter_unpack(value)
