"""An answer is sent as a person gave it, digit by digit, and nothing is chosen for them."""

import json
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.steplog.cli.plain_steps import asking
from tests.steplog.local.waiting import wait_until
from tests.tracker.web.site import WAIT_S, Site

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]


def asked(site: Site, page: Page, **question: Any) -> str:
    """Return an execution that asks so, its page open."""
    execution_id = site.until(site.run(asking(**question)), "waiting_for_human")
    page.goto(f"{site.url}/executions/{execution_id}")
    return execution_id


def answer(site: Site, execution_id: str) -> str:
    """Return the JSON text of the answer as it is recorded."""
    address = f"{site.url}/api/executions/{execution_id}/waits"

    def of_rows() -> Any:
        return httpx.get(address).json()["items"][0]["human_input"]

    wait_until(lambda: of_rows() is not None, WAIT_S)
    return json.dumps(of_rows(), separators=(",", ":"))


def send(page: Page) -> None:
    """Press the button."""
    page.get_by_role("button", name="Answer").click()


@pytest.mark.parametrize(
    "number",
    ["9007199254740993", "12345678901234567890", "-0.30000000000000004", "1e+22", "0"],
)
def test_a_number_arrives_digit_by_digit(site: Site, page: Page, number: str) -> None:
    execution_id = asked(site, page, ui_schema={"properties": {"n": {"type": "number"}}})
    page.get_by_label("N", exact=True).fill(number)
    send(page)

    assert answer(site, execution_id) == f'{{"n":{number}}}'


def test_json_arrives_as_it_was_typed(site: Site, page: Page) -> None:
    execution_id = asked(site, page)
    typed = '{"__proto__":{"a":12345678901234567890},"b":[9007199254740993,0.1]}'
    page.get_by_label("Answer, as JSON").fill(typed)
    send(page)

    assert answer(site, execution_id) == typed


def test_a_field_of_any_name_arrives(site: Site, page: Page) -> None:
    form = {"properties": {"__proto__": {"type": "string"}, "constructor": {"type": "integer"}}}
    execution_id = asked(site, page, ui_schema=form)
    page.get_by_label("Proto").fill("kept")
    page.get_by_label("Constructor").fill("007")
    send(page)

    assert answer(site, execution_id) == '{"__proto__":"kept","constructor":7}'


@pytest.mark.parametrize(
    ("typed", "said"), [("1e999", "beyond what numbers"), ("ten", "is not a number")]
)
def test_what_can_be_no_number_is_refused_with_a_sentence(
    site: Site, page: Page, typed: str, said: str
) -> None:
    asked(site, page, ui_schema={"properties": {"n": {"type": "number"}}})
    page.get_by_label("N", exact=True).fill(typed)
    send(page)

    expect(page.get_by_role("alert")).to_contain_text(said)


def test_nothing_is_chosen_for_a_person(site: Site, page: Page) -> None:
    form = {"properties": {"verdict": {"enum": ["publish", "rework"]},
                           "urgent": {"type": "boolean"}}, "required": ["verdict"]}  # fmt: skip
    asked(site, page, ui_schema=form)
    send(page)

    expect(page.get_by_label("Verdict")).to_have_value("")
    expect(page.get_by_label("Urgent")).to_have_value("")
    expect(page.locator("h1 .status")).to_contain_text("waiting")


def test_an_answer_that_does_not_fit_says_which_field(site: Site, page: Page) -> None:
    asked(site, page, ui_schema={"properties": {"n": {"type": "integer", "maximum": 5}}})
    page.get_by_label("N", exact=True).fill("7")
    send(page)

    expect(page.get_by_role("alert")).to_contain_text("n: the value is greater than")


@pytest.mark.parametrize("given", ["bob", 5, ["ann", "bob"]])
def test_whom_a_question_is_for_is_shown(site: Site, page: Page, given: object) -> None:
    asked(site, page, assigned_users=given)
    names = ", ".join(map(str, given)) if isinstance(given, list) else str(given)

    expect(page.locator(".question")).to_contain_text(f"for {names}")
