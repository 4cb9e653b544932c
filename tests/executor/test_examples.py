"""Every example definition is in order and does what its description says."""

from pathlib import Path
from typing import Any

import pytest

from executor_service import Allowlist, Pipeline, RunFailed, create_pipeline_from_json
from tests.executor.flows import order

EXAMPLES = Path("examples")


def example(name: str) -> Pipeline:
    return create_pipeline_from_json(
        EXAMPLES / name / "pipeline.json", allowlist=Allowlist(["examples.*"])
    )


@pytest.mark.parametrize(
    "name", sorted(path.parent.name for path in EXAMPLES.glob("*/pipeline.json"))
)
def test_every_example_is_in_order(name: str) -> None:
    pipeline = example(name)

    assert pipeline.name == name
    assert pipeline.blueprint.warnings == ()


@pytest.mark.parametrize(
    ("application", "decision"),
    [
        ({"monthly_income": 4000, "monthly_debt": 100, "years_in_job": 9,
          "customer_for_years": 3}, "granted"),
        ({"monthly_income": 4000, "monthly_debt": 100, "years_in_job": 9}, "to be looked at"),
        ({"monthly_income": 1000, "monthly_debt": 900}, "refused"),
    ],
)  # fmt: skip
async def test_a_loan_is_decided_by_one_branch(application: Any, decision: str) -> None:
    result = await example("loan_decision").run(application)

    assert result["output"]["decision"] == decision
    assert len(result["steps"]) == 2


async def test_a_square_root_is_refined_until_it_is_good_enough() -> None:
    result = await example("square_root").run({"number": 2})

    assert result["output"]["root"] == pytest.approx(2**0.5)
    assert result["output"]["rounds"] == 4


async def test_an_article_is_reworked_and_then_published_as_an_editor_says() -> None:
    pipeline = example("article_approval")
    first = await pipeline.run({"topic": "why logs are enough"})

    second = await pipeline.resume(first, {"verdict": "rework"})
    result = await pipeline.resume(second, {"verdict": "publish"})

    assert second["output"]["prompt"] == "Publish version 2?"
    assert result["output"]["published"] == "why logs are"
    assert order(result) == ["draft", "ask", "draft", "ask", "publish"]


@pytest.mark.parametrize(
    ("fails_first", "source"), [(0, "service"), (2, "service"), (9, "yesterday")]
)
async def test_a_rate_is_retried_and_then_yesterdays(fails_first: int, source: str) -> None:
    given = {"pair": "EUR/USD", "amount": 100, "fails_first": fails_first}

    result = await example("exchange_rate").run(given)

    assert result["output"]["rate_from"] == source


async def test_a_rate_that_does_not_exist_is_asked_for_once() -> None:
    with pytest.raises(RunFailed, match="no rate for EUR/XXX") as caught:
        await example("exchange_rate").run({"pair": "EUR/XXX", "amount": 1})

    assert caught.value.error.attempt == 1


@pytest.mark.parametrize(("gift", "note"), [({}, ""), ({"gift_for": "Ida"}, ", note: For Ida")])
async def test_an_order_is_sent_once_paid_and_packed(gift: dict[str, str], note: str) -> None:
    items = [{"cents": 250, "pieces": 2, "shelf": "B"}, {"cents": 100, "pieces": 1, "shelf": "A"}]

    result = await example("order_fulfilment").run({"items": items, **gift})

    assert result["output"]["label"] == f"3 pieces in a small box, paid 6.00{note}"
    assert order(result)[-1] == "send"
