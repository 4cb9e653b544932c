"""Names and addresses that come from outside, read strictly: Host headers, origins, URLs.

Whatever has no plain reading is nobody's: a browser sends none of it.
"""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

# RFC 9110, 7.2, with the hosts of RFC 3986 that browsers send: a name, an IPv4 or [IPv6] address.
_HOST: Final = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?)"
    r"(?::(?P<port>\d{1,5}))?"
)


def host_name(host: str) -> str | None:
    """Return the name of a Host header without its port, in lower case; None where it is none."""
    found = _HOST.fullmatch(host)
    return None if found is None else found["host"].lower()


def host_port(host: str) -> int | None:
    """Return the port of a Host header, None where it names none."""
    found = _HOST.fullmatch(host)
    return None if found is None or found["port"] is None else int(found["port"])


def is_origin(text: str) -> bool:
    """Return whether a text is the origin of web pages: scheme, host and port, nothing else."""
    scheme, separator, rest = text.partition("://")
    return bool(separator) and scheme in {"http", "https"} and host_name(rest) is not None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address to listen on."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_trusted_url(url: str) -> bool:
    """Return whether what a URL answers can't be altered on its way: https, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    )
