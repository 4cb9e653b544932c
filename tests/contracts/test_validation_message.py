"""What a validator says reaches people in plain words."""

from typing import Any

import pytest

from steplog_contracts.validation_message import plain_message


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ({"type": "value_error", "msg": "Value error, 'faild' is no status."},
         "'faild' is no status"),
        ({"type": "string_pattern_mismatch", "msg": "String should match pattern '^[a-z]+$'"},
         "has characters, or an order of them, that can't stand here"),
        ({"type": "int_parsing", "msg": "Input should be a valid integer"},
         "Input should be a valid integer"),
        ({"type": "missing", "msg": "Field required"}, "is missing"),
    ],
)  # fmt: skip
def test_a_validators_own_words_are_left_out(detail: dict[str, Any], said: str) -> None:
    assert plain_message(detail) == said
