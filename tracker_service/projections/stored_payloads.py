"""Values that an event refers to instead of carrying: which of a record's are kept elsewhere.

Nothing is fetched here. The rows hold what the event held, null in place of a stored value, and one
row of `stored_payloads` for each says where it is, by a JSON pointer into the record people read.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from tracker_service.projections.event_structs import DataRefLens, column_text
from tracker_service.projections.row_changes import Changes, StoredPayload

# Of an execution's own record; no step has an empty id.
NO_STEP: Final = ""
# Fields of events by the names they have in records; any other keeps its own.
RECORD_FIELDS: Final = {"input": "input_data", "output": "output_data"}
ASKED: Final = {"output": "context_data"}


def note_stored(
    changes: Changes,
    references: Mapping[str, DataRefLens],
    execution_id: str,
    step_id: str = NO_STEP,
    iteration: int = 0,
    fields: Mapping[str, str] = RECORD_FIELDS,
) -> None:
    """Keep where the stored values of an event are."""
    for place, found in references.items():
        field, slash, rest = place.removeprefix("/").partition("/")
        pointer = column_text(f"/{fields.get(field, field)}{slash}{rest}")
        changes.stored_payloads.append(
            StoredPayload(
                execution_id,
                step_id,
                iteration,
                pointer,
                column_text(found.uri),
                column_text(found.sha256),
                found.size_bytes,
                hashlib.sha256(pointer.encode()).hexdigest(),
            )
        )
