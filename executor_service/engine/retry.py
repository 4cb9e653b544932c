"""Whether a failed attempt is tried again, and when.

Two questions: does the policy cover this exception, and is there an attempt left? Attempts that
were lost with their process are not failures of the step: they take the next attempt number, but
nothing from the budget of retries.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from executor_service.errors import StepProblem, TerminalError

# A step under which the process died this often is taken to be what kills it.
MAX_LOST_ATTEMPTS: Final = 20
_MAX_DOUBLINGS: Final = 64  # Keeps the power finite; the delay is at its maximum long before.


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`error_handling.retry`, with its defaults."""

    max_attempts: int = 3
    initial_delay_seconds: float = 1.0
    max_delay_seconds: float = 60.0
    exponential_base: float = 2.0
    jitter: bool = True
    retryable: frozenset[str] = frozenset()  # Empty: every exception but terminal ones.
    non_retryable: frozenset[str] = frozenset()

    def covers(self, error: BaseException) -> bool:
        """Say whether this exception is one to try again after."""
        if isinstance(error, TerminalError) or (isinstance(error, StepProblem) and error.terminal):
            return False
        names = class_names(error)
        if names & self.non_retryable:
            return False
        return not self.retryable or bool(names & self.retryable)

    def delay(self, failures: int, fraction: float) -> timedelta:
        """Return the wait after the n-th failure; jitter takes up to half of it away.

        `fraction` is a random number from 0.0 up to 1.0.
        """
        power = min(failures - 1, _MAX_DOUBLINGS)
        try:
            full = self.initial_delay_seconds * self.exponential_base**power
        except OverflowError:
            full = self.max_delay_seconds
        seconds = min(full, self.max_delay_seconds)
        return timedelta(seconds=seconds * (1 - fraction / 2) if self.jitter else seconds)


def class_names(error: BaseException) -> frozenset[str]:
    """Return every name an exception answers to: bare and dotted, of its class and its bases."""
    names: set[str] = set()
    for cls in type(error).__mro__:
        names |= {cls.__name__, f"{cls.__module__}.{cls.__qualname__}"}
    return frozenset(names)
