"""Which executions have begun, in a fixed amount of memory.

A Bloom filter: `add` may say of a few newcomers that they were seen, never the other way round.
Whoever is said to have been seen is looked up in the rows later, so an error costs time, not truth.
"""

from hashlib import blake2b

# 16 MiB: below one wrong answer in a thousand up to nine million executions of one partition.
DEFAULT_BITS = 1 << 27
_HASHES = 4


class SeenExecutions:
    """A set of execution ids that can only be added to."""

    def __init__(self, bits: int = DEFAULT_BITS) -> None:
        self._bits = bits
        self._bytes = bytearray(bits // 8)

    def add(self, execution_id: str) -> bool:
        """Add an id; return whether it may have been here before."""
        digest = blake2b(execution_id.encode(), digest_size=8 * _HASHES).digest()
        seen = True
        for start in range(0, len(digest), 8):
            place = int.from_bytes(digest[start : start + 8]) % self._bits
            mask = 1 << (place & 7)
            if not self._bytes[place >> 3] & mask:
                seen = False
                self._bytes[place >> 3] |= mask
        return seen
