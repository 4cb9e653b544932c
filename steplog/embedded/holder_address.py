"""Where the server of a file answers, and whether it may be given our token.

The lock file says who has the file open. A token is sent there only if that is us: the file is our
own, the process is one of ours, and the address is on this machine.
"""

import os
from ipaddress import ip_address
from urllib.parse import urlsplit

import psutil

from executor_service.adapters.embedded.lock import EmbeddedLock, Holder
from steplog_contracts.private_files import is_ours


def token_for(lock: EmbeddedLock, holder: Holder, token: str | None) -> str | None:
    """Return the token if the holder may have it, else None."""
    if token is None or holder.api_url is None:
        return None
    ours = is_ours(lock.path) and _is_our_process(holder.pid) and _is_here(holder.api_url)
    return token if ours else None


def _is_our_process(pid: int) -> bool:
    try:
        return psutil.Process(pid).uids().effective == os.geteuid()
    except (psutil.Error, ValueError, OverflowError):
        return False


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified
