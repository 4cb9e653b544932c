"""What a validator says reaches people in plain words."""

from typing import Any

import pytest

from steplog_contracts.validation_message import plain_message, plain_sentence


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ({"type": "value_error", "msg": "Value error, 'faild' is no status."},
         "'faild' is no status"),
        ({"type": "string_pattern_mismatch", "msg": "String should match pattern '^[a-z]+$'"},
         "has characters, or an order of them, that can't stand here"),
        ({"type": "int_parsing", "msg": "Input should be a valid integer"},
         "must be a whole number"),
        ({"type": "less_than_equal", "msg": "Input should be less than ...", "ctx": {"le": 7}},
         "must be less than or equal to 7"),
        ({"type": "less_than_equal", "msg": "Input should be less"}, "Input should be less"),
        ({"type": "model_type", "msg": "Input should be an instance of FlowDefinition"},
         "must be a JSON object"),
        ({"type": "missing", "msg": "Field required"}, "is missing"),
    ],
)  # fmt: skip
def test_a_validators_own_words_are_left_out(detail: dict[str, Any], said: str) -> None:
    assert plain_message(detail) == said


def test_a_complaint_can_be_a_sentence_of_its_own() -> None:
    assert plain_sentence({"type": "missing", "msg": "Field required"}) == "This is missing."
    assert plain_sentence({"type": "value_error", "msg": "Value error, No."}) == "No."
