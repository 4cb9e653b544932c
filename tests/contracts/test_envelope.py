"""Event ids are the ones any UUID library computes, so repeats are recognisable everywhere."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from steplog_contracts.envelope import event_id, execution_namespace


@given(st.text(min_size=1), st.integers(min_value=0, max_value=10**10))
def test_an_event_id_is_uuid5_of_execution_and_seq(execution_id: str, seq: int) -> None:
    if any("\ud800" <= char <= "\udfff" for char in execution_id):
        return
    namespace = execution_namespace(execution_id)

    made = event_id(namespace, seq)

    assert made == str(uuid.uuid5(uuid.UUID(bytes=namespace), str(seq)))
