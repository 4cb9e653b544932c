"""Run pipelines: as a library in this process, or as a service that takes commands from Kafka.

The names below are the public ones; everything else may change between versions.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from executor_service.definitions.blueprint import Blueprint, compile_definition
    from executor_service.definitions.step_loader import Allowlist, load_step_class
    from executor_service.engine.conditions import RoutingContext
    from executor_service.errors import (
        CommandNotApplicable,
        DefinitionRefused,
        ExecutorError,
        InputRefused,
        Problem,
        RunCancelled,
        RunFailed,
        StepTimedOut,
        TerminalError,
    )
    from executor_service.library.pipeline import Pipeline
    from executor_service.library.runner import (
        GraphPipelineRunner,
        create_pipeline_from_json,
        create_step_from_json,
    )
    from executor_service.steps.database import ConnectionConfig, DatabaseManager
    from executor_service.steps.service_registry import ServiceRegistry
    from executor_service.steps.step import ExecutionContext, Step, StepContext
    from steplog_contracts.event_publisher import EventPublisher

__all__ = [
    "Allowlist",
    "Blueprint",
    "CommandNotApplicable",
    "ConnectionConfig",
    "DatabaseManager",
    "DefinitionRefused",
    "EventPublisher",
    "ExecutionContext",
    "ExecutorError",
    "GraphPipelineRunner",
    "InputRefused",
    "Pipeline",
    "Problem",
    "RoutingContext",
    "RunCancelled",
    "RunFailed",
    "ServiceRegistry",
    "Step",
    "StepContext",
    "StepTimedOut",
    "TerminalError",
    "compile_definition",
    "create_pipeline_from_json",
    "create_step_from_json",
    "load_step_class",
]
# Each is loaded when it is first asked for: a client that imports one module of this package has no
# use for all that reads definitions and runs steps, which takes longer than the rest of it.
_MODULES = {
    "Allowlist": "executor_service.definitions.step_loader",
    "Blueprint": "executor_service.definitions.blueprint",
    "CommandNotApplicable": "executor_service.errors",
    "ConnectionConfig": "executor_service.steps.database",
    "DatabaseManager": "executor_service.steps.database",
    "DefinitionRefused": "executor_service.errors",
    "EventPublisher": "steplog_contracts.event_publisher",
    "ExecutionContext": "executor_service.steps.step",
    "ExecutorError": "executor_service.errors",
    "GraphPipelineRunner": "executor_service.library.runner",
    "InputRefused": "executor_service.errors",
    "Pipeline": "executor_service.library.pipeline",
    "Problem": "executor_service.errors",
    "RoutingContext": "executor_service.engine.conditions",
    "RunCancelled": "executor_service.errors",
    "RunFailed": "executor_service.errors",
    "ServiceRegistry": "executor_service.steps.service_registry",
    "Step": "executor_service.steps.step",
    "StepContext": "executor_service.steps.step",
    "StepTimedOut": "executor_service.errors",
    "TerminalError": "executor_service.errors",
    "compile_definition": "executor_service.definitions.blueprint",
    "create_pipeline_from_json": "executor_service.library.runner",
    "create_step_from_json": "executor_service.library.runner",
    "load_step_class": "executor_service.definitions.step_loader",
}


def __getattr__(name: str) -> Any:
    """Return a public name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(importlib.import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted({*globals(), *__all__})
