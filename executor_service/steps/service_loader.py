"""Services for steps, from the factory that the operator names."""

import importlib

from executor_service.service_errors import BadSetting
from executor_service.steps.service_registry import ServiceRegistry


def load_services(entry: str | None) -> ServiceRegistry:
    """Call the configured factory; it is the operator's own setting, never data of the network.

    Raises:
        BadSetting: it can't be loaded, or returns something else.
    """
    if entry is None:
        return ServiceRegistry()
    module_name, _, function_name = entry.partition(":")
    try:
        registry = getattr(importlib.import_module(module_name), function_name)()
    except (ImportError, AttributeError) as error:
        raise BadSetting(
            f"STEPLOG_SERVICES={entry!r} can't be loaded: {error}; "
            "give it as package.module:function."
        ) from error
    if not isinstance(registry, ServiceRegistry):
        raise BadSetting(f"STEPLOG_SERVICES={entry!r} does not return a ServiceRegistry.")
    return registry
