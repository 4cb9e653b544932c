"""Paths of secret fields: what is one, what is not, and how it is written instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steplog_contracts.secret_paths import NoPath, Wildcard, lenient_path, parse_path


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("password", ("password",)),
        ("card.number", ("card", "number")),
        ("card.*.pin", ("card", "*", "pin")),
        ("card.**.pin", ("card", "**", "pin")),
        ("*.token", ("token",)),
        ("**.token", ("token",)),
        ("*", ("*",)),
        ("'a.b'.c", ("a.b", "c")),
        ('"it""s".c', ('it"s', "c")),
        ("'parameters'.x", ("parameters", "x")),
        ("'0'", ("0",)),
        ("größe.x-y_z", ("größe", "x-y_z")),
        ("result", ("result",)),
    ],
)
def test_a_path_is_keys(text: str, keys: tuple[str, ...]) -> None:
    assert parse_path(text) == keys


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("$.password", "password"),
        ("$['password']", "password"),
        ("/password", "password"),
        ("/card/number", "card.number"),
        ("{{ password }}", "password"),
        ("{pipeline_input.password}", "password"),
        (".password", "password"),
        ("password.", "password"),
        ("a..b", "a.b"),
        ("cards.0.number", "cards.number"),
        ("cards[0].number", "cards.number"),
        ("pipeline_input.password", "password"),
        ("steps.a.output.password", "a.output.password"),
        ("a b", "a.b"),
    ],
)
def test_what_is_no_path_is_refused_and_read_as_it_was_meant(text: str, written: str) -> None:
    """Refused where it is written; in what is recorded already, it masks all the same."""
    with pytest.raises(NoPath) as refused:
        parse_path(text)

    assert refused.value.hint
    assert lenient_path(text) == tuple(written.split("."))


@pytest.mark.parametrize("text", ["", ".", "$", "//", "{}", "0"])
def test_what_names_no_field_masks_nothing(text: str) -> None:
    with pytest.raises(NoPath):
        parse_path(text)

    assert lenient_path(text) == ()


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_every_key_can_be_written_in_quotes(keys: list[str]) -> None:
    text = ".".join("'" + key.replace("'", "''") + "'" for key in keys)

    parsed = parse_path(text)

    assert list(parsed) == keys
    assert not any(isinstance(key, Wildcard) for key in parsed)


@given(st.text())
def test_any_text_is_read_as_some_path(text: str) -> None:
    assert all(lenient_path(text))
