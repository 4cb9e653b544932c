"""Records of another log, made ready for this one.

An importer writes under a claim of its own, as every writer does, so each event gets the importer's
epoch in place of the one it was written under; what readers take is then exactly what is imported.
Offsets of the other cluster's commands topic mean nothing here and are left out. Everything else,
ids and times included, stays byte for byte.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from steplog.archive.format import ArchivedRecord
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import NO_SEQ, Headers, Record, format_time
from steplog_contracts.events import PartitionClaimed

IMPORT_OWNER: Final = "steplog import"
_SOURCE: Final = "/steplog/import"
_EPOCH: Final = "ce_writerepoch"
_ANOTHER_LOGS: Final = frozenset({_EPOCH, "ce_commandoffset"})


def import_claim(partition: int, claim_id: str, time: datetime) -> Record:
    """Return the claim under which a partition's events are imported."""
    encoder = ExecutionEncoder(f"partition-{partition}", source=_SOURCE)
    return encoder.encode(
        PartitionClaimed(partition=partition, owner=IMPORT_OWNER),
        seq=NO_SEQ,
        time=format_time(time).encode(),
        event_id_text=claim_id,
    )


def rebased(record: ArchivedRecord, epoch: int) -> Record:
    """Return the record as it is written under the importer's claim.

    One without an epoch (a program that records its own run) keeps being without.
    """
    headers: Headers = [
        (name, value) for name, value in record.headers if name not in _ANOTHER_LOGS
    ]
    if any(name == _EPOCH for name, _ in record.headers):
        headers.append((_EPOCH, b"%d" % epoch))
    return Record(record.key, record.value, headers)


class Sameness:
    """A digest over records in order that is the same before and after rebasing."""

    def __init__(self) -> None:
        self.count = 0
        self._digest = hashlib.sha256()

    def add(
        self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
    ) -> None:
        """Take the next record."""
        self.count += 1
        parts = [_part(key), _part(value)]
        for name, content in headers:
            if name not in _ANOTHER_LOGS:
                parts += [_part(name.encode()), _part(content)]
        self._digest.update(b"".join(parts) + b"\n")

    @property
    def told(self) -> tuple[int, bytes]:
        """How many were taken, and the digest of all."""
        return self.count, self._digest.digest()


def _part(content: bytes | None) -> bytes:
    # With its length, so that no two sequences of parts look alike.
    return b"-" if content is None else b"%d:" % len(content) + content
