"""What can be wrong with a read model's database.

TrackerError
└── StoreError
    ├── StoreUnavailable   not now: connection lost, failing over, deadlock, disk full; try again
    ├── RowsRejected       the database refuses a value; the batch holds a record it can't take
    └── StoreRefused       a bad start: schema newer, rights missing, read-only; a person must act
"""

from tracker_service.projections.errors import TrackerError


class StoreError(TrackerError):
    """The read model's database could not do what was asked."""

    for_callers = "The read model can't answer at the moment; the log lines of the API say why."


class StoreUnavailable(StoreError):
    """The database can't be reached or can't commit at the moment; the same call may work later."""


class RowsRejected(StoreError):
    """The database refuses a value of this batch, and would again."""

    for_callers = "A parameter holds what the database can't take; correct it."


class StoreRefused(StoreError):
    """The database is there but not fit for this tracker; the text names the remedy."""
