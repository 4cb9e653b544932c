"""Which hosts a definition may send requests to: none, unless a setting names them.

A definition may arrive over the network, and a request from inside a network reaches what a sender
outside can't. So hosts are allowed by name, and the addresses they resolve to must be public ones
unless a setting says of the host that it is not. The address that was checked is the one that is
connected to: a name that resolves to another one a moment later gains nothing.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

import httpcore
from pydantic_settings import BaseSettings, SettingsConfigDict

from executor_service.errors import HostNotAllowed

_WILDCARD: Final = "*."
# Addresses behind which a translator reaches those of the fourth version.
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
# All of the sixth version that is given to anybody; the rest maps, translates, or stays inside.
_GIVEN_OUT: Final = ipaddress.IPv6Network("2000::/3")
_SPECIAL: Final = tuple(
    ipaddress.ip_network(net) for net in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")
)
RESOLVE_TIMEOUT_S: Final = 10.0
MAX_ADDRESSES_TRIED: Final = 4
SocketOptions = Iterable[httpcore.SOCKET_OPTION]


class HttpSettings(BaseSettings):
    """The settings of `http` steps. Both are lists with commas: names, or `*.example.org`."""

    model_config = SettingsConfigDict(env_prefix="STEPLOG_HTTP_", extra="ignore")

    hosts: str = ""
    private_hosts: str = ""  # These may have loopback and private addresses.


class HttpPolicy:
    """The hosts that requests may go to."""

    def __init__(self, hosts: str = "", private_hosts: str = "") -> None:
        self._private = _names(private_hosts)
        self._allowed = _names(hosts) + self._private

    @classmethod
    def of_environment(cls) -> "HttpPolicy":
        """Return what the environment allows."""
        settings = HttpSettings()
        return cls(settings.hosts, settings.private_hosts)

    def check(self, host: str) -> None:
        """Raise HostNotAllowed unless requests may go to a host."""
        if not _is_in(host, self._allowed):
            raise HostNotAllowed(
                f"The host '{host}' is not on the allowlist; add it to STEPLOG_HTTP_HOSTS of the "
                "executor and restart it."
            )

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses to connect to.

        Raises:
            HostNotAllowed: one of them is no public one.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not _is_in(host, self._private):
            for address in addresses:
                if not _is_public(address):
                    raise HostNotAllowed(
                        f"The host '{host}' has the address {address}, which is no public one; if "
                        "that is meant, add the host to STEPLOG_HTTP_PRIVATE_HOSTS."
                    )
        return addresses[:MAX_ADDRESSES_TRIED]


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to addresses that the policy allows, whatever the name resolves to later."""

    def __init__(self, policy: HttpPolicy) -> None:
        self._policy = policy
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers."""
        self._policy.check(host)
        try:
            addresses = await self._policy.addresses(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"The host '{host}' is not found in time.") from error
        except (OSError, ValueError) as error:  # Among them names that no name can have.
            raise httpcore.ConnectError(f"The host '{host}' is not known.") from error
        refused: Exception = httpcore.ConnectError(f"The host '{host}' has no address.")
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                refused = error
        raise refused

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the interface of httpcore
        socket_options: SocketOptions | None = None,  # noqa: ARG002 - as above
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no URL leads to a file."""
        raise HostNotAllowed(f"A request can't go to the socket {path}.")

    async def sleep(self, seconds: float) -> None:
        """Sleep between two tries."""
        await asyncio.sleep(seconds)


def _names(text: str) -> list[str]:
    return [name.strip().lower().rstrip(".") for name in text.split(",") if name.strip()]


def _is_in(host: str, names: list[str]) -> bool:
    host = host.lower().rstrip(".")
    return any(
        host == name or (name.startswith(_WILDCARD) and host.endswith(name[1:])) for name in names
    )


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and address not in _GIVEN_OUT:
            return False
        address = inner or address
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in _SPECIAL)
    )
