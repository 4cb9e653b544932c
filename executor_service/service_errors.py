"""What the running service refuses or fails at, beside what executions do; same tree.

ExecutorError
├── UnknownPipeline    a command names a definition that is not in the pipelines folder
├── BadSetting         a setting that can't be used
├── LogUnreachable     no broker answers
├── GroupBusy          the executors' group does not let its offsets be changed
└── WrongTopic         a topic is missing or has another partition count
"""

from collections.abc import Sequence

from executor_service.errors import ExecutorError


class UnknownPipeline(ExecutorError):
    """A command names a pipeline that can't be run; the known names are in the message."""

    def __init__(self, name: str, known: Sequence[str], reason: str | None = None) -> None:
        choice = (
            f"known are {', '.join(known)}"
            if known
            else (
                "the executor knows no pipelines by name; set STEPLOG_PIPELINES_DIR, or run a FILE"
            )
        )
        super().__init__(f"Pipeline {name!r} can't be run: {reason or choice}.")


class BadSetting(ExecutorError):
    """A setting that can't be used; the message names it and what it should be."""


class LogUnreachable(ExecutorError):
    """No broker answers at the configured address."""


class GroupBusy(ExecutorError):
    """The executors' group does not let its offsets be changed now."""


class WrongTopic(ExecutorError):
    """A topic is missing or has another partition count than configured."""
