"""From a RunPipeline command to the first event of an execution."""

from datetime import datetime

from executor_service.definitions.blueprint import Blueprint
from executor_service.definitions.catalogue import DefinitionCatalogue
from executor_service.errors import CommandNotApplicable
from steplog_contracts.commands import RunPipeline
from steplog_contracts.envelope import SentCommand
from steplog_contracts.events import ExecutionStarted
from steplog_contracts.payload import JsonObject
from steplog_contracts.refusal_codes import RefusalCode


def started_event(
    catalogue: DefinitionCatalogue,
    sent: SentCommand,
    command: RunPipeline,
    now: datetime,
    *,
    loads: bool = True,
) -> tuple[Blueprint, ExecutionStarted]:
    """Return what to run and the event that begins it, `now` or at `not_before`.

    Raises:
        CommandNotApplicable: the command names no pipeline and carries no definition.
        UnknownPipeline: it names one that is not known.
        DefinitionRefused: the definition breaks a rule.
        InputRefused: the input does not fit the definition, or its deadline is past.
    """
    definition = _definition(catalogue, command)
    blueprint = catalogue.inline(definition) if loads else catalogue.unloaded(definition)
    started = blueprint.started(
        command.input,
        parameters=command.parameters,
        metadata=command.metadata,
        pipeline_id=command.pipeline,
        command_id=sent.command_id,
        parent_execution_id=command.parent_execution_id,
        now=max(now, command.not_before or now),
    )
    asked = {
        "requested_by": command.requested_by,
        "concurrency_key": command.concurrency_key,
        "parent_visit": command.parent_visit,
    }
    return blueprint, started.model_copy(update=asked)


def _definition(catalogue: DefinitionCatalogue, command: RunPipeline) -> JsonObject:
    if command.definition is not None:
        return command.definition
    if command.pipeline is None:
        raise CommandNotApplicable(
            RefusalCode.BAD_COMMAND,
            "The command has neither a definition nor the name of a pipeline.",
        )
    return catalogue.named(command.pipeline)
