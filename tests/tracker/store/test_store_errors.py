"""What asyncpg raises becomes one of the tracker's errors, by what helps against it."""

import asyncpg
import pytest

from tracker_service.store.errors import RowsRejected, StoreError, StoreRefused, StoreUnavailable
from tracker_service.store.postgres.errors import store_errors

CLIENT_ERRORS = (
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.exceptions.ProtocolError,
    asyncpg.exceptions.TargetServerAttributeNotMatched,
)


@pytest.mark.parametrize(
    "error",
    [
        *(kind("another operation is in progress") for kind in CLIENT_ERRORS),
        asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.CannotConnectNowError("starting up"),
        ConnectionResetError("reset by peer"),
        FileNotFoundError("no socket"),
        TimeoutError(),
    ],
    ids=repr,
)
def test_whatever_a_server_that_goes_away_leads_to_is_waited_out(error: Exception) -> None:
    with pytest.raises(StoreUnavailable), store_errors():
        raise error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.UniqueViolationError("twice"), RowsRejected),
        (asyncpg.exceptions.DataError("no integer"), RowsRejected),
        (OverflowError("too large"), RowsRejected),
        (asyncpg.InsufficientPrivilegeError("no rights"), StoreRefused),
    ],
    ids=repr,
)
def test_what_waiting_does_not_help_against_is_told_apart(
    error: Exception, kind: type[StoreError]
) -> None:
    with pytest.raises(kind), store_errors():
        raise error


def test_a_fault_of_ours_stays_one() -> None:
    with pytest.raises(ZeroDivisionError), store_errors():
        raise ZeroDivisionError
