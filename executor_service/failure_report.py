"""Exceptions as they are recorded: type, message, and a traceback of the user's own frames."""

import traceback
from pathlib import Path
from typing import Final

from executor_service.errors import StepProblem
from steplog_contracts import events as ev

MAX_MESSAGE_CHARS: Final = 10_000
MAX_TRACEBACK_CHARS: Final = 10_000
MAX_TRACEBACK_FRAMES: Final = 20
_OWN_FOLDER: Final = str(Path(__file__).parent)


def error_info(
    error: BaseException, step_id: str, attempt: int, *, fallback_error: BaseException | None = None
) -> ev.ErrorInfo:
    """Return what is recorded of an exception; never raises, whatever the exception does."""
    message = _message(error)
    if fallback_error is not None:
        message = (
            f"{message} Its fallback failed too: {type_name(fallback_error)}: "
            f"{_message(fallback_error)}"
        )
    return ev.ErrorInfo(
        type=type_name(error),
        message=_writable(message, MAX_MESSAGE_CHARS),
        traceback=None if isinstance(error, StepProblem) else _traceback(error),
        step_id=step_id,
        attempt=attempt,
    )


def type_name(error: BaseException) -> str:
    """Return the class name, dotted with its module unless built in or of our own problems."""
    cls = type(error)
    if cls.__module__ == "builtins" or isinstance(error, StepProblem):
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # A user's __str__ may do anything.
        return f"{type(error).__name__} (its text could not be made)"


def _traceback(error: BaseException) -> str | None:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_OWN_FOLDER)
    ]
    if not frames:
        return None
    text = "".join(traceback.format_list(frames[-MAX_TRACEBACK_FRAMES:]))
    return _writable(text[-MAX_TRACEBACK_CHARS:], MAX_TRACEBACK_CHARS)


def _writable(text: str, limit_chars: int) -> str:
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= limit_chars else f"{clean[:limit_chars]}..."
