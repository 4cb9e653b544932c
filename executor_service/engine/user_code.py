"""The one place through which code of users is called, and the mark that says it is running.

Whatever such code raises comes out as `Raised`: an exception of its own that derives from
BaseException, SystemExit, a KeyboardInterrupt that a library made, a CancelledError raised by hand.
Only the operator's own Ctrl-C goes through as it is. A process that the code forked ends here and
never runs on as a second executor.
"""

import dis
import os
import signal
import threading
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, NoReturn

# What runs users' code here, if anything: asked where such code reaches for what is not its own.
RUNNING: Final[ContextVar[object | None]] = ContextVar("steplog_user_code", default=None)
_RAISING_OPCODES: Final = frozenset({"RAISE_VARARGS", "RERAISE"})
# Functions of handlers that raise KeyboardInterrupt for a signal.
_SIGNAL_HANDLERS: Final = frozenset({"_on_sigint", "_interrupt"})


class Raised(Exception):
    """What users' code raised, as `error`."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class _Forks:
    """Counts the forks that led to this process."""

    count = 0

    @classmethod
    def counted(cls) -> None:
        """Count one, in the child."""
        cls.count += 1


os.register_at_fork(after_in_child=_Forks.counted)


def call(function: Callable[..., Any], *args: Any) -> Any:
    """Call users' code here and now.

    Raises:
        Raised: whatever it raised.
        KeyboardInterrupt: the operator's.
    """
    return call_for(function, function, *args)


def call_for(caller: object, function: Callable[..., Any], *args: Any) -> Any:
    """Call users' code as `call` does; tasks that it begins and cancels are known by `caller`."""
    forks = _Forks.count
    token = RUNNING.set(caller)
    try:
        return function(*args)
    except BaseException as error:
        raise raised(error, forks) from None
    finally:
        RUNNING.reset(token)
        if forks != _Forks.count:
            end_forked_child()


def raised(error: BaseException, forks: int | None = None) -> Raised:
    """Return what carries an exception of users' code; the operator's is raised on."""
    if forks is not None and forks != _Forks.count:
        end_forked_child(error)
    if is_of_operator(error):
        raise error
    return Raised(error)


def forks() -> int:
    """Return the number to compare with after users' code ran; another one means: a child."""
    return _Forks.count


def end_forked_child(error: BaseException | None = None) -> NoReturn:
    """End a process that users' code forked and let run on beyond its own end."""
    code = error.code if type(error) is SystemExit else int(error is not None)
    os._exit(code if isinstance(code, int) else int(code is not None))


def is_of_operator(error: BaseException) -> bool:
    """Say whether an exception is the interpreter's answer to Ctrl-C, and not made by code.

    A handler that asyncio or steplog installed is the innermost frame of it. Python's own handler
    leaves no frame: then the innermost instruction is none that raises.
    """
    if not issubclass(type(error), KeyboardInterrupt):
        return False
    if threading.current_thread() is not threading.main_thread():
        return False
    innermost = _innermost(error.__traceback__)
    if innermost is None:
        return False
    if innermost.tb_frame.f_code.co_name in _SIGNAL_HANDLERS:
        return True
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    return not error.args and not _raises_here(innermost)


def _innermost(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _raises_here(trace: TracebackType) -> bool:
    for instruction in dis.get_instructions(trace.tb_frame.f_code):
        if instruction.offset == trace.tb_lasti:
            return instruction.opname in _RAISING_OPCODES
    return False
