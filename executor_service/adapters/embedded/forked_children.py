"""Descriptors that a child of this process must not keep: they mean "this process runs".

A step may fork, or use a library that does, and the child may live longer than this process. Other
programs are started without descriptors already; a fork takes all of them along.
"""

import os
from contextlib import suppress
from typing import Final

_to_close: Final[set[int]] = set()


def close_in_children(descriptor: int) -> None:
    """Close the descriptor in every child that is forked from now on."""
    _to_close.add(descriptor)


def keep_in_children(descriptor: int) -> None:
    """Close it there no longer: it is about to be closed here."""
    _to_close.discard(descriptor)


def _close() -> None:
    for descriptor in _to_close:
        with suppress(OSError):  # Closed here already, by whoever forked.
            os.close(descriptor)
    _to_close.clear()


os.register_at_fork(after_in_child=_close)
