"""Rule 22: an answer fits what was asked, and comes from whom it was asked of."""

from typing import Any

import pytest

from executor_service import CommandNotApplicable, Pipeline, RunFailed
from tests.executor.flows import passes, paths, pipeline_of

FORM = {"properties": {"verdict": {"enum": ["publish", "rework"]}}, "required": ["verdict"]}


def asking(**question: Any) -> Pipeline:
    """Return a pipeline of one step that asks."""
    steps = {"ask": lambda d: {"status": "human_input_required", **question}, "publish": passes}
    return pipeline_of(steps, paths("ask > publish"))


@pytest.mark.parametrize("answer", [{}, {"verdict": "maybe"}, {"verdict": 7}, [], None])
async def test_22_an_answer_that_breaks_the_form_is_refused_and_the_wait_stays(
    answer: Any,
) -> None:
    pipeline = asking(ui_schema=FORM)
    waiting = await pipeline.run()

    with pytest.raises(CommandNotApplicable, match="step 'ask' asks") as caught:
        await pipeline.resume(waiting, answer)
    result = await pipeline.resume(waiting, {"verdict": "publish"})

    assert caught.value.code == "answer_refused"
    assert result["output"]["verdict"] == "publish"


@pytest.mark.parametrize("form", [{"fields": ["a"]}, {"type": "wizard"}, "free", None])
async def test_22_a_form_in_another_language_holds_nothing_back(form: Any) -> None:
    pipeline = asking(ui_schema=form)

    result = await pipeline.resume(await pipeline.run(), {"x": 1})

    assert result["output"]["x"] == 1


@pytest.mark.parametrize(
    "form",
    [{"properties": {"a": {"type": "strng"}}}, {"properties": []}, {"required": "a"},
     {"properties": {"a": {"$ref": "https://elsewhere.example/a"}}}],
)  # fmt: skip
async def test_22_a_question_whose_form_is_no_schema_fails_its_step(form: Any) -> None:
    with pytest.raises(RunFailed, match="no JSON Schema"):
        await asking(ui_schema=form).run()


@pytest.mark.parametrize("given", [True, {"name": "bob"}, [["bob"]]])
async def test_22_assigned_users_that_are_no_names_fail_their_step(given: Any) -> None:
    with pytest.raises(RunFailed, match="list of names"):
        await asking(assigned_users=given).run()


@pytest.mark.parametrize(
    ("given", "names"), [("bob", ["bob"]), (5, ["5"]), (["a", "b"], ["a", "b"]), ([], None)]
)
async def test_22_assigned_users_are_recorded_as_a_list_of_names(
    given: Any, names: list[str] | None
) -> None:
    waiting = await asking(assigned_users=given).run()

    assert waiting["output"]["assigned_users"] == names
