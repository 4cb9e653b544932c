"""Whether a failed attempt is tried again, and when.

Two questions: does the policy cover this exception, and is there an attempt left? Attempts that
were lost with their process are not failures of the step: they take the next attempt number, but
nothing from the budget of retries.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from executor_service.engine.exception_facts import class_names, inner_errors
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
        """Say whether this exception is one to try again after.

        Of a group, one exception in it that is terminal or not to be retried decides for all; and
        where `retryable` is given, the group itself is in it, or each exception that lies in it.
        """
        inner = inner_errors(error)
        if any(map(_terminal, (error, *inner))):
            return False
        names = class_names(error)
        if any(known & self.non_retryable for known in (names, *map(class_names, inner))):
            return False
        if not self.retryable or names & self.retryable:
            return True
        return all(class_names(one) & self.retryable for one in inner)

    def covers_names(self, names: frozenset[str]) -> bool:
        """Say the same of an error of which only the names of its class are known."""
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


def _terminal(error: BaseException) -> bool:
    kind = type(error)
    return issubclass(kind, TerminalError) or (issubclass(kind, StepProblem) and kind.terminal)
