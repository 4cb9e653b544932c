"""One mask over one value: paths at any depth, declared names, values under other names."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_service.http_api.masking import EVERYTHING, Mask, mask_of

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("p", {"a": [{"p": 1}]}, {"a": [{"p": "***"}]}),
        ("a.p", {"a": {"p": 1, "q": 2}}, {"a": {"p": "***", "q": 2}}),
        ("a.p", {"a": [[{"p": 1}], {"p": 2}]}, {"a": [[{"p": "***"}], {"p": "***"}]}),
        ("a.*.p", {"a": {"x": {"p": 1}, "p": 2}}, {"a": {"x": {"p": "***"}, "p": 2}}),
        ("a.**.p", {"a": {"x": {"y": {"p": 1}}}}, {"a": {"x": {"y": {"p": "***"}}}}),
        ("a.**.p", {"a": {"p": 2}, "p": 3}, {"a": {"p": "***"}, "p": 3}),
        ("a.**", {"a": {"x": 1}, "b": 1}, {"a": "***", "b": 1}),
        ("*.p", {"p": 1, "x": {"p": 1}}, {"p": "***", "x": {"p": "***"}}),
        ("'a.p'", {"a.p": 1, "a": {"p": 2}}, {"a.p": "***", "a": {"p": 2}}),
        ("'*'", {"*": 1, "p": 2}, {"*": "***", "p": 2}),
        ("$.p", {"p": 1}, {"p": "***"}),
        ("cards.0.n", {"cards": [{"n": 1}, {"n": 2}]}, {"cards": [{"n": "***"}, {"n": "***"}]}),
        ("p", [{"name": "p", "default": 1}], [{"name": "p", "default": "***"}]),
        ("p", [{"name": "p", "value": 1, "n": 2}], [{"name": "p", "value": "***", "n": 2}]),
        ("p", [{"name": "q", "source": 1}], [{"name": "q", "source": 1}]),
        ("c.n", [{"name": "c", "value": {"n": 1}}], [{"name": "c", "value": {"n": "***"}}]),
    ],
)  # fmt: skip
def test_a_path_masks_its_field(path: str, value: Any, shown: Any) -> None:
    assert Mask([path]).value(value) == shown


@pytest.mark.parametrize(
    ("secret", "value", "shown"),
    [
        (SECRET, {"q": SECRET}, {"q": "***"}),
        (SECRET, [f"is {SECRET}!"], ["is ***!"]),
        (SECRET, {SECRET: 1}, {"***": 1}),
        (41112222, {"q": 41112222, "r": 4111222}, {"q": "***", "r": 4111222}),
        (41112222, "41112222 is no card", "*** is no card"),
        (["a-longer-one", {"x": SECRET}], f"a-longer-one {SECRET}", "*** ***"),
        ('with "quotes"', json.dumps({"x": 'with "quotes"'}), '{"x": "***"}'),
        ("two\nlines, it's", repr("two\nlines, it's"), '"***"'),
        ("schlüssel", json.dumps("schlüssel"), '"***"'),
        ("short", {"q": "short"}, {"q": "short"}),
        (True, {"q": True}, {"q": True}),
    ],
)  # fmt: skip
def test_what_stood_in_a_secret_field_is_masked_elsewhere(
    secret: Any, value: Any, shown: Any
) -> None:
    mask = Mask(["p"])
    mask = mask.with_values(mask.secrets_in({"p": secret}))

    assert mask.value(value) == shown


def test_values_that_nobody_could_read_hide_every_text() -> None:
    mask = Mask(["p"]).with_values((), complete=False)

    assert mask.value({"a": "b", "n": 1}) == {"a": "***", "n": 1}
    assert mask.sentence("anything") == "***"


@pytest.mark.parametrize("text", [b"", b"{", b'{"secrets": "all"}', b'{"secrets": [1]}', b"[]"])
def test_a_definition_whose_secrets_can_not_be_read_masks_everything(text: bytes) -> None:
    assert mask_of(text) is EVERYTHING


def test_a_template_at_a_secret_path_is_no_value() -> None:
    definition = {"secrets": ["p"], "x": {"p": "{pipeline_input.p}"}}

    assert mask_of(json.dumps(definition).encode()).sentence("{pipeline_input.p}") != "***"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, st.text(min_size=8, max_size=20))
def test_no_place_of_a_value_keeps_what_is_secret(value: Any, secret: str) -> None:
    mask = Mask(["p"]).with_values([secret])
    planted = {"p": secret, "q": value, secret: [f"x{secret}y", {"z": secret}]}

    shown = mask.value(planted)

    assert shown["p"] == "***"
    assert secret not in json.dumps(shown, ensure_ascii=False).replace("***", "")
