"""Which partition a key belongs to: Kafka's default partitioner, so that every client agrees.

The hash is MurmurHash2 (32 bits, seed 0x9747b28c) as the Java client computes it; its sign bit is
cleared before the remainder is taken. Source: Apache Kafka, `Utils.murmur2` and `Utils.toPositive`.
"""

import uuid
from collections.abc import Callable

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_WORD = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF

# 80 random bits: among a hundred million executions two meet with odds of one in 10^8.
NEW_ID_CHARS = 20
# With 4,096 partitions, the most there can be, this many tries miss with odds below 10^-10.
MAX_ID_TRIES = 100_000


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a record key given as text."""
    return partition_of_key(key.encode(), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    """Return the partition of a record key."""
    return (murmur2(key) & _POSITIVE) % partitions


def new_execution_id() -> str:
    """Return an id nobody else uses; shorter than a UUID because people type it."""
    return uuid.uuid4().hex[-NEW_ID_CHARS:]


def new_execution_id_beside(
    origin_execution_id: str, partitions: int, made_from: Callable[[int], str] | None = None
) -> str:
    """Return an id nobody else uses, of an execution in the origin's partition.

    A retry or a fork reads its origin's history, which only the owner of that partition can.
    `made_from` returns the id of a try by its number, where the same is to be found again.
    """
    wanted = partition_of(origin_execution_id, partitions)
    for number in range(MAX_ID_TRIES):
        execution_id = made_from(number) if made_from else new_execution_id()
        if partition_of(execution_id, partitions) == wanted:
            return execution_id
    raise AssertionError(f"no id found for partition {wanted} of {partitions}")


def murmur2(data: bytes) -> int:
    """Return the hash of a key as 32 unsigned bits."""
    value = (_SEED ^ len(data)) & _WORD
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * _MULTIPLIER & _WORD
        word = (word ^ (word >> 24)) * _MULTIPLIER & _WORD
        value = (value * _MULTIPLIER & _WORD) ^ word
    if len(data) > whole:
        value = (value ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _WORD
    value = (value ^ (value >> 13)) * _MULTIPLIER & _WORD
    return value ^ (value >> 15)
