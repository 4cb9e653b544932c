"""The few Linux calls Python has no function for. Sources: prctl(2), capset(2), capabilities(7)."""

import ctypes
import os
import struct
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1  # Pass folders whose mode bits would keep us out.


def signal_me_when_parent_ends(signal_number: int) -> bool:
    """Ask the kernel for a signal at the parent's death; False where it has no such thing.

    It survives exec but not a change of user, so it comes after one.
    """
    return sys.platform == "linux" and _prctl(_PR_SET_PDEATHSIG, signal_number) == 0


def keep_capabilities_over_user_change() -> None:
    """Let the next setuid keep what the process may do; a no-op outside Linux."""
    if sys.platform == "linux":
        _prctl(_PR_SET_KEEPCAPS, 1)


def keep_only_capability(capability: int) -> None:
    """Drop all capabilities but one and hand that one on to the programs run from here.

    Where the kernel or a container refuses, the process goes on without it.
    """
    if sys.platform != "linux":
        return
    bit = 1 << capability
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, once for the low and once for the high 32 bits.
    sets = struct.pack("=6I", bit, bit, bit, 0, 0, 0)
    if ctypes.CDLL(None).capset(header, sets) == 0:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _prctl(option: int, *arguments: int) -> int:
    padded = [*arguments, 0, 0, 0, 0][:4]
    result: int = ctypes.CDLL(None).prctl(option, *(ctypes.c_ulong(value) for value in padded))
    return result


def is_root() -> bool:
    """Whether the process may do anything; PostgreSQL refuses to run so."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
