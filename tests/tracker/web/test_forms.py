"""A form for an answer follows the question's ui_schema."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_service.web.forms import MAX_FIELDS, fields


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"enum": ["a", "b"]}, "choice"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "integer"}, "integer"),
        ({"type": "number"}, "number"),
        ({"type": "string"}, "text"),
        ({"type": "string", "format": "textarea"}, "long_text"),
        ({"type": "string", "maxLength": 5000}, "long_text"),
        ({"type": "object"}, "json"),
        ({"type": ["string", "null"]}, "json"),
        ({}, "text"),
    ],
)
def test_a_property_becomes_the_input_that_fits_it(schema: dict[str, Any], kind: str) -> None:
    (field,) = fields({"properties": {"answer": schema}})

    assert field.kind == kind


def test_labels_help_bounds_and_what_must_be_given_come_from_the_schema() -> None:
    shape = {"type": "integer", "title": "How many", "description": "Of eggs.",
             "minimum": 1, "maximum": 12, "default": 3}  # fmt: skip

    (field,) = fields({"properties": {"n": shape}, "required": ["n"]})

    assert (field.label, field.help, field.required) == ("How many", "Of eggs.", True)
    assert (field.least, field.most, field.default) == (1, 12, 3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("properties", "type", "enum", "required", "a")), inner)
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_makes_a_form_or_none(ui_schema: Any) -> None:
    """It comes from users' steps, so it may be anything."""
    found = fields(ui_schema)

    assert len(found) <= MAX_FIELDS
