"""What can go wrong in the hands of a person; every text is one sentence with the remedy.

SteplogError
└── LocalError               the local stack
    ├── ServerNotStarted     a server did not come up
    ├── ServerUnreachable    a given address does not answer
    ├── StackBusy            a stack runs here already, or none does
    └── DataFolderUnusable   the data folder can't be written
"""

from contracts.errors import SteplogError


class LocalError(SteplogError):
    """Starting, watching or stopping the local stack failed."""


class ServerNotStarted(LocalError):
    """A process ended before it was ready, or took too long; the text names its log."""


class ServerUnreachable(LocalError):
    """A server that was given by its address does not answer there."""


class StackBusy(LocalError):
    """A stack already runs on this data folder, or none does where one is needed."""


class DataFolderUnusable(LocalError):
    """The data folder can't be created or written."""
