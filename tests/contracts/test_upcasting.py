"""Old payloads are brought forward step by step; chains end."""

import pytest
from pydantic_core import from_json

from steplog_contracts import upcasting
from steplog_contracts.errors import ContractError, UndecodableRecord
from steplog_contracts.upcasting import Chain, check_chain, upcast

CHAIN: Chain = {
    "x.v1": ("x.v2", lambda payload: {"name": payload["title"]}),
    "x.v2": ("x.v3", lambda payload: payload | {"version": 3}),
}


def test_an_old_payload_runs_through_every_version() -> None:
    record_type, data = upcast("x.v1", b'{"title": "a"}', CHAIN)

    assert record_type == "x.v3"
    assert from_json(data) == {"name": "a", "version": 3}


def test_a_current_payload_passes_byte_for_byte() -> None:
    data = b'{ "n" : 1.0e2 }'

    assert upcast("x.v3", data, CHAIN) == ("x.v3", data)


@pytest.mark.parametrize("data", [b"[1]", b"{oops"])
def test_an_old_payload_that_is_no_object_is_undecodable(data: bytes) -> None:
    with pytest.raises(UndecodableRecord):
        upcast("x.v1", data, CHAIN)


def test_a_chain_that_returns_to_itself_is_refused() -> None:
    with pytest.raises(ContractError, match="returns to"):
        check_chain({"a": ("b", dict), "b": ("a", dict)})


@pytest.mark.parametrize("old", upcasting.CHAIN)
def test_an_old_payload_that_is_not_what_its_version_says_is_undecodable(old: str) -> None:
    with pytest.raises(UndecodableRecord, match="not that of"):
        upcast(old, b'{"something": "else"}')
