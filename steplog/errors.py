"""What can go wrong in the hands of a person; every text is one sentence with the remedy.

SteplogError
├── BadInput                 what was typed or set can't be used
├── WrongTopic               a topic is missing or has another partition count
├── ServiceUnreachable       a broker, a database or the API does not answer
├── NotAnswered              the API answered with a problem, or not in time
│   ├── NotFound             what was asked for is not in the rows
│   │   └── NeverBegan       the command that was to begin the execution was refused
│   └── NotAvailable         it can't answer now, or is asked too often; later it can
├── CommandWasRefused        the executor refused a command
├── ExecutionDidNotComplete  the execution that was waited for failed or was cancelled
└── LocalError               the local stack
    ├── ServerNotStarted     a process did not come up
    ├── StackBusy            a stack runs here already, or none does
    └── DataFolderUnusable   the data folder can't be written
"""

from typing import TYPE_CHECKING, Self

from steplog_contracts.errors import SteplogError

if TYPE_CHECKING:  # Loading it takes longer than telling an error.
    from steplog_contracts.records import ExecutionRecord


class BadInput(SteplogError):
    """An argument, a file or a setting that can't be used; the text says what it needs to be."""


class WrongTopic(SteplogError):
    """A topic is missing, or has another partition count than declared."""


class ServiceUnreachable(SteplogError):
    """A broker, a database or an API does not answer at its address."""


class NotAnswered(SteplogError):
    """The API answered with a problem, or an answer did not come within its time."""


class NotFound(NotAnswered):
    """What was asked for is not in the rows (yet)."""


class NotAvailable(NotAnswered):
    """The API can't answer at the moment, or is asked too often, and said when to come again."""


class NeverBegan(NotFound):
    """The command that was to begin an execution was refused; the text says why.

    `code` is the refusal's, for programs, and `command_id` the command's.
    """

    def __init__(self, message: str, code: str, command_id: str) -> None:
        super().__init__(message)
        self.code = code
        self.command_id = command_id


class CommandWasRefused(SteplogError):
    """The executor refused a command; the text is its own and names the remedy."""


class ExecutionDidNotComplete(SteplogError):
    """The execution that was waited for failed or was cancelled."""

    @classmethod
    def of(cls, execution: "ExecutionRecord", retry: str | None = None) -> Self:
        """Return the error of an execution that has ended so.

        Args:
            execution: as the rows have it.
            retry: the command that continues it, where not the plain one.
        """
        reason = f": {execution.failure.rstrip('.')}" if execution.failure else ""
        after = retry or f"steplog retry {execution.execution_id}"
        return cls(
            f"Execution {execution.execution_id} {execution.status}{reason}. "
            f"To continue it from there: {after}"
        )


class LocalError(SteplogError):
    """Starting, watching or stopping the local stack failed."""


class ServerNotStarted(LocalError):
    """A process ended before it was ready, or took too long; the text names its log."""


class StackBusy(LocalError):
    """A stack already runs on this data folder, or none does where one is needed."""


class DataFolderUnusable(LocalError):
    """The data folder can't be created or written."""
