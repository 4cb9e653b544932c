"""What can go wrong with values stored beside the log; same tree as `errors`.

ExecutorError
├── StoreUnavailable     the store does not answer or does not take it; may pass
├── PayloadMissing       a stored value is gone, or can't be reached from here
└── StepProblem
    └── PayloadNotStored     a value could not be stored, however often it was tried
        └── PayloadTooLarge  it never will be: there is no store, or not even a store takes it
"""

from typing import Final

from executor_service.errors import ExecutorError, StepProblem

REMEDY: Final = (
    "name a folder all services share, or a bucket, in STEPLOG_PAYLOAD_STORE (such as "
    "s3://bucket/payloads); values above STEPLOG_MAX_INLINE_BYTES then go there"
)


class StoreUnavailable(ExecutorError):
    """The store does not answer or refuses to work; trying again may help."""

    @classmethod
    def of(cls, text: str, error: Exception, place: str) -> "StoreUnavailable":
        """Return one whose text names the place and quotes the error; callers read neither."""
        made = cls(f"{place} {text}: {error}.")
        # What a system call says is the system's own words, without a path or an address.
        known = error.strerror if isinstance(error, OSError) and error.errno else None
        made.for_callers = f"The payload store {text} ({known or type(error).__name__})."
        return made


class PayloadMissing(ExecutorError):
    """A stored value is not where its reference says."""


class PayloadNotStored(StepProblem):
    """A value is too large for the log and could not be stored.

    `step_id` is the step whose event was to carry it, where that was not its own attempt.
    """

    step_id: str | None = None


class PayloadTooLarge(PayloadNotStored):
    """A value that is too large for the log and for every store there is."""

    terminal = True
