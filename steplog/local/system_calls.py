"""The few Linux calls Python has no function for. Source: prctl(2)."""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def signal_me_when_parent_ends(signal_number: int) -> bool:
    """Ask the kernel for a signal at the parent's death; False where it has no such thing.

    It survives exec but not a change of user, so it comes after one.
    """
    return sys.platform == "linux" and _prctl(_PR_SET_PDEATHSIG, signal_number) == 0


def _prctl(option: int, *arguments: int) -> int:
    padded = [*arguments, 0, 0, 0, 0][:4]
    result: int = ctypes.CDLL(None).prctl(option, *(ctypes.c_ulong(value) for value in padded))
    return result


def is_root() -> bool:
    """Whether the process may do anything; PostgreSQL refuses to run so."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
