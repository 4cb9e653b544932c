"""What a command's sender gets to read of an error, whoever raised it."""

import structlog

from executor_service.engine.error_text import text_of
from executor_service.errors import CommandNotApplicable
from steplog_contracts.errors import SteplogError
from steplog_contracts.refusal_codes import RefusalCode

_log = structlog.get_logger(__name__)


def refusal_for(error: BaseException) -> SteplogError:
    """Return the error that a command is refused with; a fault of ours goes to the log as well."""
    if isinstance(error, SteplogError):
        return error
    _log.error("command_failed", exc_info=error)
    return CommandNotApplicable(
        RefusalCode.INTERNAL_ERROR,
        f"The executor could not carry it out: {text_of(error) or type(error).__name__}. Send "
        "another command.",
    )
