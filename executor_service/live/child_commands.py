"""Executions that others began, as commands: a child is asked for, called off, and tells its end.

A child's end is told before its snapshot is removed and its command done with, and told again by
whoever finds the ended execution in the partition's tail. So it reaches the parent at least once;
the command's id, and the child's, let it count once.
"""

import uuid
from typing import Final

import structlog

from executor_service.context import ExecutorContext
from executor_service.engine.child_decisions import CHILD_NOT_FOUND
from executor_service.engine.error_text import text_of
from executor_service.errors import ChildRefused, ExecutorError
from executor_service.log.recovery import RecoveredExecution
from executor_service.payloads.claim_check import ClaimCheck
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import (
    CancelExecution,
    ChildEnded,
    Command,
    RetryExecution,
    RunPipeline,
)
from steplog_contracts.envelope import SentCommand
from steplog_contracts.errors import SteplogError
from steplog_contracts.events import (
    ENDINGS,
    ErrorInfo,
    Event,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionStarted,
)
from steplog_contracts.parent_visit import ParentVisit
from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.refusal_codes import RefusalCode

# Refusals of a retry that say that there is nothing to go on from.
_GONE: Final = frozenset({RefusalCode.UNKNOWN_EXECUTION, RefusalCode.NO_DEFINITION})
_log = structlog.get_logger(__name__)
_COMMANDS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://steplog.dev/child-commands")


class ChildCommands:
    """Sends what parents and children have to say to each other; satisfies `ports.Children`."""

    def __init__(self, executor: ExecutorContext) -> None:
        self._executor = executor

    async def begin(
        self,
        child_id: str,
        *,
        pipeline: str | None,
        definition: JsonObject | None,
        input_data: JsonValue,
        parent_id: str,
        parent_visit: ParentVisit,
    ) -> None:
        """Ask for an execution to begin; asking again changes nothing."""
        command = RunPipeline(
            execution_id=child_id,
            pipeline=pipeline,
            definition=definition,
            input=input_data,
            parent_execution_id=parent_id,
            parent_visit=parent_visit,
        )
        await self._send(command, f"{child_id}:run")

    async def retry(
        self, child_id: str, *, origin_id: str, parent_id: str, parent_visit: ParentVisit
    ) -> None:
        """Ask for an execution that goes on from another; asking again changes nothing."""
        command = RetryExecution(
            execution_id=child_id,
            origin_execution_id=origin_id,
            parent_execution_id=parent_id,
            parent_visit=parent_visit,
        )
        await self._send(command, f"{child_id}:run")

    async def cancel(self, child_id: str, reason: str, *, compensate: bool = False) -> None:
        """Ask for an execution to end; asking again changes nothing."""
        command = CancelExecution(execution_id=child_id, reason=reason, compensate=compensate)
        await self._send(command, f"{child_id}:cancel")

    async def tell(
        self, execution_id: str, started: ExecutionStarted | None, end: Event | None
    ) -> None:
        """Tell a parent, if one waits for it, how its child ended.

        Raises:
            NotTold: it could not be; the log says why.
        """
        if started is None or end is None or not waits_for_end(started):
            return
        try:
            await self._tell_end(execution_id, started, end)
        except Exception as error:
            _log.exception("parent_not_told", execution=execution_id)
            raise NotTold(f"The end of {execution_id} could not be told.") from error

    async def tell_again(self, execution: RecoveredExecution) -> None:
        """Do the same for an execution that ended under a former owner; raises as `tell` does."""
        if owes_its_end(execution):
            end = execution.facts[-1].event
            await self.tell(execution.execution_id, execution.started, end)

    async def _tell_end(self, execution_id: str, started: ExecutionStarted, end: Event) -> None:
        parent_id, visit = started.parent_execution_id, started.parent_visit
        assert visit is not None, "asked for only where a parent waits"
        ended = ChildEnded(
            execution_id=parent_id, child_execution_id=execution_id, visit=visit, status="cancelled"
        )
        if isinstance(end, ExecutionCompleted):
            told = {"status": "completed", "output": end.output, "references": end.references}
            ended = ended.model_copy(update=told)
        elif isinstance(end, ExecutionFailed):
            ended = ended.model_copy(update={"status": "failed", "error": end.error})
        await self._send(ended, f"{execution_id}:ended")

    async def tell_refusal(self, command: Command, refusal: SteplogError) -> None:
        """Tell a parent that its child was refused; one that was begun already was not."""
        if not isinstance(command, RunPipeline | RetryExecution) or _is_of_another(refusal):
            return
        parent_id, visit = command.parent_execution_id, command.parent_visit
        if parent_id is None or visit is None or not visit.waits:
            return
        is_gone = isinstance(command, RetryExecution) and _code_of(refusal) in _GONE
        kind = CHILD_NOT_FOUND if is_gone else ChildRefused.__name__
        ended = ChildEnded(
            execution_id=parent_id,
            child_execution_id=command.execution_id,
            visit=visit,
            status="failed",
            error=ErrorInfo(type=kind, message=text_of(refusal)),
        )
        await self._send(ended, f"{command.execution_id}:ended")

    async def _send(self, command: Command, name: str) -> None:
        executor = self._executor
        if executor.send is None:
            raise ChildRefused("This executor has no way to send commands.")
        fitting = await ClaimCheck(executor.payloads).hollow(command)
        command_id = str(uuid.uuid5(_COMMANDS, name))
        sent = SentCommand(command_id, executor.source, executor.clock.now(), fitting)
        await executor.send(encode_command(sent))


def _code_of(refusal: SteplogError) -> object:
    return getattr(refusal, "code", None)


def _is_of_another(refusal: SteplogError) -> bool:
    return _code_of(refusal) in (RefusalCode.DUPLICATE_EXECUTION, RefusalCode.DUPLICATE_COMMAND)


class NotTold(ExecutorError):
    """A child's end could not be told to its parent."""


def owes_its_end(execution: RecoveredExecution) -> bool:
    """Say whether an execution that has ended may not have told its parent."""
    facts = execution.facts
    if not facts or execution.foreign or not isinstance(facts[0].event, ExecutionStarted):
        return False
    return isinstance(facts[-1].event, ENDINGS) and waits_for_end(facts[0].event)


def waits_for_end(started: ExecutionStarted) -> bool:
    """Say whether a step of a parent waits for the execution's end."""
    visit = started.parent_visit
    return visit is not None and visit.waits and started.parent_execution_id is not None
