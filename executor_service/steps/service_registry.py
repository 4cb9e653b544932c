"""The services steps ask for, by name."""

import inspect
import logging
from typing import Any

_log = logging.getLogger(__name__)


class ServiceRegistry:
    """Services by name: `database`, `http`, `execution_tracker`, and whatever steps ask for.

    Services may be registered at construction (`ServiceRegistry(database=db)`) or later.
    """

    def __init__(self, **services: Any) -> None:
        self._services: dict[str, Any] = dict(services)

    def register(self, name: str, service: Any) -> None:
        """Make a service known under a name; a later one takes the place of an earlier one."""
        self._services[name] = service

    def get(self, name: str) -> Any:
        """Return the service, or None where the name is unknown."""
        return self._services.get(name)

    def has(self, name: str) -> bool:
        """Say whether a service is known under the name."""
        return name in self._services

    async def cleanup_all(self) -> None:
        """Close every service that can be closed, the last registered first.

        The first of the methods `cleanup`, `aclose`, `close`, `disconnect` that a service has is
        called, and awaited if it is asynchronous. One that fails is logged and keeps no other open.
        """
        services = list(self._services.items())
        self._services.clear()
        for name, service in reversed(services):
            try:
                await _close(service)
            except Exception:
                _log.exception("The service %r could not be closed.", name)


async def _close(service: Any) -> None:
    for method_name in ("cleanup", "aclose", "close", "disconnect"):
        method = getattr(service, method_name, None)
        if callable(method):
            closing = method()
            if inspect.isawaitable(closing):
                await closing
            return
