"""The client: run pipelines on a log and read what became of them, from Python.

Its names are imported when they are first asked for, so that the command line starts without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steplog.client.addresses import Addresses
    from steplog.client.client import Steplog

__all__ = ["Addresses", "Steplog"]

_MODULES = {"Addresses": "steplog.client.addresses", "Steplog": "steplog.client.client"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'steplog.client' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
