"""The table of values kept in the payload store, and what records say of them."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, structs

from tracker_service.projections.row_changes import StoredPayload
from tracker_service.store.sql.columns import Table, columns

STORED_PAYLOADS: Final = Table[StoredPayload](
    "stored_payloads",
    columns(
        """
        execution_id text key
        step_id text key
        iteration integer key
        pointer text once
        uri text once
        sha256 text once
        size_bytes bigint once
        pointer_hash text key
        """
    ),
    structs.astuple,
)


def references(
    stored: Iterable[StoredPayload], execution_id: str, step_id: str, iteration: int
) -> Raw | None:
    """Return the `references` of one record, as the rows would have them."""
    found = {
        one.pointer: {"uri": one.uri, "sha256": one.sha256, "size_bytes": one.size_bytes}
        for one in stored
        if (one.execution_id, one.step_id, one.iteration) == (execution_id, step_id, iteration)
    }
    return Raw(msgspec.json.encode(found)) if found else None
