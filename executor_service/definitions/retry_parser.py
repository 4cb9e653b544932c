"""Reading `retry` of a definition."""

from executor_service.engine.retry import RetryPolicy
from steplog_contracts.definition_parts import Retry


def retry_policy(retry: Retry) -> RetryPolicy:
    """Return the policy that a definition declares."""
    return RetryPolicy(
        max_attempts=retry.max_attempts,
        initial_delay_seconds=retry.initial_delay,
        max_delay_seconds=retry.max_delay,
        exponential_base=retry.exponential_base,
        jitter=retry.jitter,
        retryable=frozenset(retry.retryable_exceptions),
        non_retryable=frozenset(retry.non_retryable_exceptions),
    )
