"""Connections to PostgreSQL, with the settings each one is given."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import asyncpg

from steplog_contracts.postgres_login import (
    address_problem,
    login_remedy,
    shows_certificate,
    tls_problem,
)
from tracker_service.store.errors import StoreError, StoreRefused
from tracker_service.store.postgres.database_settings import read_database_settings
from tracker_service.store.postgres.errors import store_errors
from tracker_service.store.postgres.pooler_connection import connections_with

CONNECT_TIMEOUT_S = 10.0
# Far below Kafka's rebalance timeout (60 s): a flush that takes longer would outlive ownership.
STATEMENT_TIMEOUT_S = 20.0

# asyncpg's classes take no parameters at run time, its stubs want them.
if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.pool.PoolConnectionProxy


class PlainConnection(asyncpg.Connection):
    """A connection that is given back as it is.

    Nothing here sets session state, and asyncpg's clean-up would cost a round trip per batch.
    """

    def get_reset_query(self) -> str:
        """Return no query."""
        return ""


# Every statement of the writing side goes by a key: planning each call anew finds nothing better,
# and a plan made while a table is small must not read all of it when it is large.
BY_KEY_ONLY = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


async def open_pool(
    url: str,
    *,
    max_connections: int,
    application: str,
    schema: str | None = None,
    statement_timeout_s: float | None = STATEMENT_TIMEOUT_S,
    by_key_only: bool = False,
    needs_session: bool = True,
) -> Pool:
    """Return a pool on the database.

    Args:
        needs_session: whether locks or tables are used that last longer than a transaction.

    Raises:
        StoreRefused: it can't be reached or entered; the sentence says what to check.
    """
    settings = {
        # The statements here are short; compiling them costs more than it saves.
        "jit": "off",
        # Off would be quicker and the log could heal it, but a worker remembers its position: after
        # a crash of the server the rows would be behind what their own writer knows.
        "synchronous_commit": "on",
    }
    if by_key_only:
        settings |= BY_KEY_ONLY
    if schema is not None:
        settings["search_path"] = schema
    if problem := address_problem(url):
        raise StoreRefused(f"The read model's database can't be opened: {problem}")
    try:
        with store_errors():
            pool = await asyncpg.create_pool(
                url,
                min_size=0,
                max_size=max_connections,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=statement_timeout_s,
                **_session_options(application, settings, needs_session=needs_session),
            )
            # The pool connects when asked; the first time is now, while a person looks on.
            async with pool.acquire():
                return pool
    except StoreError as error:
        sentence = _with_remedy(error, url)
        raise StoreRefused(f"The read model's database can't be opened: {sentence}") from error
    except ValueError as error:
        raise StoreRefused(f"DATABASE_URL is not an address of PostgreSQL: {error}.") from error


def _with_remedy(error: StoreError, url: str) -> str:
    cause = error.__cause__
    if isinstance(error, StoreRefused) or tls_problem(cause):
        return str(error)
    state = getattr(cause, "sqlstate", None) or ""
    remedy = login_remedy(state, str(cause), shows_certificate=shows_certificate(url))
    if remedy is not None:
        return f"{str(error).removesuffix('.')}; {remedy}"
    return f"{error} Check DATABASE_URL and that PostgreSQL is running."


def _session_options(
    application: str, settings: Mapping[str, str], *, needs_session: bool
) -> dict[str, Any]:
    """Return what connections are made with: directly, or through a pooler of transactions."""
    database = read_database_settings()
    options: dict[str, Any] = {}
    if database.password is not None or database.password_file is not None:
        options["password"] = database.current_password
    if not database.by_transaction:
        named = {"application_name": application, **settings}
        return {**options, "connection_class": PlainConnection, "server_settings": named}
    if needs_session:
        raise StoreRefused(
            f"{application} needs a session and STEPLOG_DATABASE_POOLING is transaction; run it "
            "with STEPLOG_DATABASE_POOLING=session and a DATABASE_URL of PostgreSQL itself."
        )
    return {
        **options,
        "connection_class": connections_with(settings),
        "server_settings": {"application_name": application},
        "statement_cache_size": 0,
    }
