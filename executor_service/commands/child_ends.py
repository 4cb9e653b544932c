"""How a child ended, handed to the execution that began it."""

from executor_service.engine.child_decisions import ChildEnd
from executor_service.errors import CommandNotApplicable
from executor_service.runtime.execution import Execution
from executor_service.runtime.parent_execution import ParentExecution
from steplog_contracts.commands import ChildEnded, Command, RetryExecution, RunPipeline
from steplog_contracts.refusal_codes import RefusalCode

REFUSED_BEFORE = CommandNotApplicable(
    RefusalCode.BAD_COMMAND, "The child was refused; its refusal is among the recorded ones."
)


def pass_end(execution: Execution, command: ChildEnded, command_id: str) -> None:
    """Give a parent its child's end; one that nobody waits for is passed over."""
    if not isinstance(execution, ParentExecution):
        return
    execution.child_ended(
        ChildEnd(
            command.child_execution_id,
            command.visit.step_id,
            command.status,
            command.output,
            command.error,
            command_id,
        )
    )


def may_have_been_refused(command: Command) -> bool:
    """Say whether a command that comes again may have been refused while a parent waits."""
    return (
        isinstance(command, RunPipeline | RetryExecution)
        and command.parent_visit is not None
        and command.parent_visit.waits
    )
