"""What a person holds: steps and pipelines, the client, embedded mode, the command line.

The names below are imported when they are first asked for, so that the command line starts without
what it does not use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from executor_service import (
        DatabaseManager,
        GraphPipelineRunner,
        Pipeline,
        RunFailed,
        ServiceRegistry,
        Step,
        TerminalError,
    )
    from executor_service.steps.step_function import step
    from steplog.builder import join, pipeline, when
    from steplog.client.client import Steplog
    from steplog.embedded import Embedded
    from steplog_contracts.errors import SteplogError
    from tracker_service import ExecutionTracker

__all__ = [
    "DatabaseManager",
    "Embedded",
    "ExecutionTracker",
    "GraphPipelineRunner",
    "Pipeline",
    "RunFailed",
    "ServiceRegistry",
    "Step",
    "Steplog",
    "SteplogError",
    "TerminalError",
    "join",
    "pipeline",
    "step",
    "when",
]

_MODULES = {
    "Embedded": "steplog.embedded",
    "ExecutionTracker": "tracker_service",
    "Steplog": "steplog.client",
    "SteplogError": "steplog_contracts.errors",
    "join": "steplog.builder",
    "pipeline": "steplog.builder",
    "step": "executor_service.steps.step_function",
    "when": "steplog.builder",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'steplog' has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "executor_service")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
