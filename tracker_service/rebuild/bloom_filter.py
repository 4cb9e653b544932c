"""Which executions have begun, in a fixed amount of memory.

A Bloom filter: `add` may say of a few newcomers that they were seen, never the other way round.
Whoever is said to have been seen is looked up in the rows later, so an error costs time, not truth.
"""

# 16 MiB: below one wrong answer in a thousand up to six million executions of one partition.
DEFAULT_BITS = 1 << 27
# An id has four places: the lower half of its hash, and three steps of the upper half's width.
_HALF = 32


class SeenExecutions:
    """A set of execution ids that can only be added to, for one process only.

    Python's own hash of a text is 64 bits under a key of the process: nobody can choose ids that
    fall together, and nothing of it can be kept.
    """

    def __init__(self, bits: int = DEFAULT_BITS) -> None:
        if bits < 8 or bits & (bits - 1):
            raise ValueError(f"The bits must be a power of two from 8 on, not {bits}.")
        self._mask = bits - 1
        self._bytes = bytearray(bits // 8)

    def add(self, execution_id: str) -> bool:
        """Add an id; return whether it may have been here before."""
        taken, mask = self._bytes, self._mask
        whole = hash(execution_id)
        first = whole & mask
        # Odd, and the places a power of two: the four are never the same (from 8 places on).
        step = whole >> _HALF & mask | 1
        second = first + step & mask
        third = second + step & mask
        fourth = third + step & mask
        # Written out, as a loop takes twice as long; a newcomer is mostly known at the first place.
        if (
            taken[first >> 3] >> (first & 7) & 1
            and taken[second >> 3] >> (second & 7) & 1
            and taken[third >> 3] >> (third & 7) & 1
            and taken[fourth >> 3] >> (fourth & 7) & 1
        ):
            return True
        taken[first >> 3] |= 1 << (first & 7)
        taken[second >> 3] |= 1 << (second & 7)
        taken[third >> 3] |= 1 << (third & 7)
        taken[fourth >> 3] |= 1 << (fourth & 7)
        return False
