"""Run pipelines: as a library in this process, or as a service that takes commands from Kafka.

The names below are the public ones; everything else may change between versions.
"""

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
