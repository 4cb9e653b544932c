"""What a question asks for: the form of its answer, and who may give it."""

from typing import Any

import jsonschema_rs
import pytest

from steplog_contracts.answer_form import answer_problems, assigned_to, may_answer, names_somebody

VERDICT = {
    "type": "object",
    "required": ["verdict"],
    "properties": {
        "verdict": {"type": "string", "enum": ["publish", "rework"], "ui:widget": "radio"},
        "copies": {"type": "integer", "minimum": 1},
        "note": {"type": "string", "format": "textarea"},
        "on": {"type": "string", "format": "date"},
    },
}


def problems(form: Any, answer: Any) -> tuple[str, ...]:
    """Return why an answer does not fit."""
    return answer_problems(form, answer, lambda s: jsonschema_rs.validator_for(
        s, validate_formats=True, mask="the value"
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, '"verdict" is a required property'),
        ({"verdict": "maybe"}, 'verdict: the value is not one of "publish" or "rework"'),
        ({"verdict": 7}, 'verdict: the value is not of type "string"'),
        ({"verdict": "publish", "copies": 0}, "copies: the value is less than the minimum of 1"),
        ({"verdict": "publish", "on": "soon"}, 'on: the value is not a "date"'),
        ("publish", 'the value is not of type "object"'),
        (None, 'the value is not of type "object"'),
    ],
)
def test_an_answer_is_held_to_its_form_field_by_field(answer: Any, said: str) -> None:
    assert said in problems(VERDICT, answer)


@pytest.mark.parametrize(
    "answer", [{"verdict": "publish"}, {"verdict": "rework", "copies": 10**30, "more": [1]}]
)
def test_what_fits_is_taken_and_keywords_for_pages_say_nothing(answer: Any) -> None:
    assert problems(VERDICT, answer) == ()


@pytest.mark.parametrize("empty", ["", "  ", None])
def test_an_empty_answer_to_a_required_field_is_none(empty: object) -> None:
    form = {"required": ["why"], "properties": {"why": {}}}

    assert problems(form, {"why": empty}) == ("why: an answer is required here",)


def test_a_value_the_form_lists_may_be_empty() -> None:
    form = {"required": ["why"], "properties": {"why": {"enum": ["", "late"]}}}

    assert problems(form, {"why": ""}) == ()


def test_required_may_stand_at_the_field_and_the_type_may_be_left_out() -> None:
    form = {"properties": {"why": {"type": "string", "required": True},
                           "note": {"type": "string", "required": False}}}  # fmt: skip

    assert problems(form, {}) == ('"why" is a required property',)
    assert problems(form, 7) == ('the value is not of type "object"',)
    assert problems(form, {"why": "late"}) == ()


@pytest.mark.parametrize("form", [None, {}, [], "text", True, {"fields": [{"name": "a"}]}])
def test_where_nothing_is_said_of_the_form_any_answer_fits(form: Any) -> None:
    assert problems(form, {"anything": 1}) == ()


def test_what_was_answered_is_not_repeated() -> None:
    form = {"properties": {"code": {"type": "string", "pattern": "^[0-9]+$"}}}

    assert "hunter2" not in "".join(problems(form, {"code": "hunter2"}))


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("bob", ("bob",)),
        (["ann", "bob", "ann"], ("ann", "bob")),
        (5, ("5",)),
        (["ann", 7], ("ann", "7")),
        (None, ()),
        ([], ()),
        (False, ()),
        (True, ()),
        ({"name": "bob"}, ()),
    ],
)
def test_assigned_users_are_names_whatever_a_step_gave(given: Any, names: tuple[str, ...]) -> None:
    assert assigned_to(given) == names


@pytest.mark.parametrize(
    ("given", "read"),
    [("bob", True), (5, True), ([], True), (None, True), (True, False), ([["bob"]], False),
     ({"name": "bob"}, False), ([True], False)],
)  # fmt: skip
def test_assigned_users_that_name_nobody_are_known(given: Any, read: bool) -> None:
    assert names_somebody(given) is read


def test_whoever_has_a_name_is_held_to_it() -> None:
    assert may_answer("ann", ["ann"])
    assert not may_answer("bob", ["ann"])
    assert may_answer("bob", None)
    assert may_answer(None, ["ann"])
