"""CloudEvents structured mode, read only.

Everything travels in the value, as tools that drop headers send it.
"""

from collections.abc import Mapping

from pydantic_core import from_json, to_json

from steplog_contracts.errors import UndecodableRecord
from steplog_contracts.payload import JsonObject


def binary_from_structured(value: bytes) -> tuple[Mapping[str, bytes], bytes]:
    """Return the attributes as `ce_*` headers and the payload bytes.

    Raises:
        UndecodableRecord: not a JSON object, or without `data`.
    """
    document = _document(value)
    if "data" not in document:
        raise UndecodableRecord("bad_payload", "The structured CloudEvent has no data.")
    attributes = {
        _header_name(name): str(attribute).encode()
        for name, attribute in document.items()
        if name not in {"data", "datacontenttype"}
    }
    return attributes, to_json(document["data"])


def _document(value: bytes) -> JsonObject:
    try:
        document = from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise UndecodableRecord(
            "bad_json", f"The structured value is not JSON: {error}."
        ) from error
    if not isinstance(document, dict):
        raise UndecodableRecord("bad_payload", "The structured value is not a JSON object.")
    return document


def _header_name(attribute: str) -> str:
    # traceparent keeps its W3C name in headers; everything else is prefixed by the binding.
    return attribute if attribute == "traceparent" else f"ce_{attribute}"
