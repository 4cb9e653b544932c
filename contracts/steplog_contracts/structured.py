"""CloudEvents structured mode, read only.

Everything travels in the value, as tools that drop headers send it.
"""

from collections.abc import Mapping
from typing import Final

from pydantic_core import from_json, to_json

from steplog_contracts.errors import UndecodableRecord
from steplog_contracts.headers import MAX_NUMBER
from steplog_contracts.payload import JsonObject, JsonValue
from steplog_contracts.refusal_codes import RefusalCode

_NO_HEADERS: Final = frozenset({"data", "datacontenttype"})


def binary_from_structured(value: bytes) -> tuple[Mapping[str, bytes], bytes]:
    """Return the attributes as `ce_*` headers and the payload bytes.

    Raises:
        UndecodableRecord: not a JSON object, without `data`, or with an attribute that is neither
            text nor a number of 64 bits nor true or false. Null is as good as missing.
    """
    document = _document(value)
    if "data" not in document:
        raise UndecodableRecord(RefusalCode.BAD_PAYLOAD, "The structured CloudEvent has no data.")
    attributes = {
        _header_name(name): _header_value(name, attribute)
        for name, attribute in document.items()
        if name not in _NO_HEADERS and attribute is not None
    }
    try:
        return attributes, to_json(document["data"])
    except ValueError as error:
        raise UndecodableRecord(
            RefusalCode.BAD_JSON, f"The data has no JSON form: {error}."
        ) from error


def _document(value: bytes) -> JsonObject:
    try:
        document = from_json(value, allow_inf_nan=False)
    except (ValueError, RecursionError) as error:
        raise UndecodableRecord(
            RefusalCode.BAD_JSON, f"The structured value is not JSON: {error}."
        ) from error
    if not isinstance(document, dict):
        raise UndecodableRecord(
            RefusalCode.BAD_PAYLOAD, "The structured value is not a JSON object."
        )
    return document


def _header_name(attribute: str) -> str:
    # traceparent keeps its W3C name in headers; everything else is prefixed by the binding.
    return attribute if attribute == "traceparent" else f"ce_{attribute}"


def _header_value(name: str, attribute: JsonValue) -> bytes:
    if isinstance(attribute, str):
        return attribute.encode(errors="backslashreplace")
    if isinstance(attribute, int) and abs(attribute) <= MAX_NUMBER:
        return str(attribute).encode()
    raise UndecodableRecord(
        RefusalCode.BAD_HEADER, f"The attribute {name[:40]!r} is no text and no number."
    )
