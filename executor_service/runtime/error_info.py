"""Exceptions as they are recorded: type, message, and a traceback of the user's own frames.

What lies inside a group stands in the message; what lies behind an exception, and its notes, in the
traceback, as Python prints them.
"""

import traceback
from pathlib import Path
from typing import Final

from executor_service.engine.exception_facts import (
    MAX_INNER,
    bare_name,
    causes,
    class_name,
    inner_errors,
    notes,
    own_attribute,
    text_of,
)
from executor_service.engine.user_code import Raised, call
from executor_service.errors import StepProblem
from executor_service.runtime.guarded_loop import itself
from steplog_contracts import events as ev

MAX_MESSAGE_CHARS: Final = 10_000
MAX_INNER_MESSAGE_CHARS: Final = 1_000
MAX_TRACEBACK_CHARS: Final = 10_000
MAX_TRACEBACK_FRAMES: Final = 20
_OWN_FOLDER: Final = str(Path(__file__).parents[1])
_NAMED_CAUSE: Final = "The cause of it:"
_CONTEXT: Final = "It was raised while this was being handled:"


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
        type=_writable(type_name(error), MAX_INNER_MESSAGE_CHARS),
        message=_writable(message, MAX_MESSAGE_CHARS),
        traceback=None if issubclass(type(error), StepProblem) else _traceback(error),
        step_id=step_id,
        attempt=attempt,
    )


def type_name(error: BaseException) -> str:
    """Return the class name, dotted with its module unless built in or of our own problems."""
    cls = type(error)
    return bare_name(cls) if issubclass(cls, StepProblem) else class_name(cls)


def _message(error: BaseException) -> str:
    text = text_of(error)
    if not issubclass(type(error), BaseExceptionGroup):
        return text
    inner = [itself(one) for one in inner_errors(error)]
    told = [
        f"{type_name(one)}: {_writable(text_of(one), MAX_INNER_MESSAGE_CHARS)}" for one in inner
    ]
    more = "; ..." if len(inner) == MAX_INNER else ""
    return f"{text}: {'; '.join(told)}{more}"


def _traceback(error: BaseException) -> str | None:
    parts = [_frames(error), *(f"Note: {note}\n" for note in notes(error))]
    behind = [
        f"{_NAMED_CAUSE if named else _CONTEXT} {type_name(one)}: "
        f"{_writable(text_of(one), MAX_INNER_MESSAGE_CHARS)}\n{_frames(one)}"
        for one, named in causes(error)
    ]
    # The frames of the exception itself tell most, so what lies behind gives way.
    text = "".join(parts)[-MAX_TRACEBACK_CHARS:]
    text += "".join(behind)[: max(0, MAX_TRACEBACK_CHARS - len(text))]
    return _writable(text, MAX_TRACEBACK_CHARS) or None


def _frames(error: BaseException) -> str:
    try:
        # Source lines come from the code's own loader.
        extracted = call(traceback.extract_tb, own_attribute(error, "__traceback__"))
        frames = [f for f in extracted if not f.filename.startswith(_OWN_FOLDER)]
        return "".join(call(traceback.format_list, frames[-MAX_TRACEBACK_FRAMES:]))
    except Raised:
        return ""


def _writable(text: str, limit_chars: int) -> str:
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= limit_chars else f"{clean[:limit_chars]}..."
