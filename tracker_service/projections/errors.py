"""Why a record can't be folded.

TrackerError
└── Unfoldable    a record that would make the rows wrong; it is set aside, the rest goes on
"""

from steplog_contracts.errors import SteplogError


class TrackerError(SteplogError):
    """Anything the tracker refuses or fails at."""


class Unfoldable(TrackerError):
    """A readable record that doesn't fit the history before it, or whose payload can't be read.

    `code` is stable and for programs: hole, not_started, started_twice, bad_payload, bad_json,
    too_deep, too_long, unknown_version, missing_header,
    wrong_hash.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
