"""asyncpg's errors to the tracker's, by SQLSTATE class (PostgreSQL manual, appendix A)."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from steplog_contracts.postgres_login import login_remedy, tls_problem
from tracker_service.store.errors import RowsRejected, StoreError, StoreRefused, StoreUnavailable

# 22 data exception, 23 integrity constraint, 54 program limit: the rows themselves are at fault.
_REJECTED = ("22", "23", "54")
# 28 authorization, 3D and 3F missing database or schema, 42 rights and missing tables.
_REFUSED = ("28", "3D", "3F", "42")

# Of a pooler: refused when a session begins, and what follows where that is waved through.
_NO_PARAMETER = "unsupported startup parameter"
_UNNAMED_LOST = ("42P05", "26000")
_POOLER = (
    "A pooler in transaction mode stands before it: set STEPLOG_DATABASE_POOLING to transaction."
)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn whatever asyncpg raises inside into one of `tracker_service.store.errors`."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise _of_server(error) from error
    except (asyncpg.exceptions.DataError, OverflowError) as error:
        raise RowsRejected(f"PostgreSQL can't take a value: {error}.") from error
    # Also an InterfaceError and a ValueError; what it hints at stands in further lines.
    except asyncpg.ClientConfigurationError as error:
        text = str(error).splitlines()[0].removesuffix(".")
        raise StoreRefused(f"DATABASE_URL can't be used: {text}.") from error
    # The second where a server goes away between two messages of a connection that is in use.
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise StoreUnavailable(f"The connection to PostgreSQL is gone: {error}.") from error
    except TimeoutError as error:
        raise StoreUnavailable("PostgreSQL did not answer in time.") from error
    except OSError as error:
        # A certificate may be renewed while a worker waits, so this is no end for one that runs.
        problem = tls_problem(error) or f"PostgreSQL can't be reached: {error}."
        raise StoreUnavailable(problem) from error


def _of_server(error: asyncpg.PostgresError) -> StoreError:
    state = getattr(error, "sqlstate", None) or ""
    text = f"PostgreSQL says: {error} (SQLSTATE {state})."
    if state in _UNNAMED_LOST or _NO_PARAMETER in text:
        return StoreRefused(f"{text} {_POOLER}")
    if state.startswith(_REJECTED):
        return RowsRejected(text)
    if state.startswith(_REFUSED):
        remedy = login_remedy(state, text, shows_certificate=False)
        return StoreRefused(f"{text.removesuffix('.')}; {remedy}" if remedy else text)
    # What is left passes: 08 connection, 40 deadlock, 53 disk full or too many connections,
    # 55 locks, 57 shutdown, statement timeout or starting up, 25006 a standby after failover.
    return StoreUnavailable(text)
