"""Values that are stored apart, for the viewer: small ones in their places, large ones to open."""

from collections.abc import Mapping
from typing import Any, Final

from steplog_contracts.data_ref import DataRef
from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.stored_value import StoredValue, placed, references_in
from tracker_service.web.api_client import Api, ApiProblem

# Of one value; the viewer shows the beginning of what is long, and a link opens the whole.
MAX_SHOWN_BYTES: Final = 1024 * 1024
MAX_VALUES: Final = 20


async def with_values(api: Api, base: str, record: Mapping[str, Any]) -> JsonObject:
    """Return a record with its stored values, or with a `StoredValue` whose `uri` opens one."""
    references = references_in(record.get("references"))
    read: dict[str, JsonValue] = {}
    for reference in references.values():
        address = f"{base}/payloads/{reference.sha256}"
        read[reference.sha256] = StoredValue.of(reference.model_copy(update={"uri": address}))
        if reference.size_bytes > MAX_SHOWN_BYTES or len(read) > MAX_VALUES:
            continue
        try:
            read[reference.sha256] = await api.get(address)
        except ApiProblem:
            continue  # Opening it says why it can't be had.

    def value_of(reference: DataRef) -> JsonValue:
        return read[reference.sha256]

    return placed(record, references, value_of)
