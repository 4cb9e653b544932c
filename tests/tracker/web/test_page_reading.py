"""What a person reads on the page: failures, past moments, long names, wrong addresses."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.tracker.web.site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
LONG_NAME = "nightly_orders_of_the_northern_region_" * 3


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return width


def test_a_failure_names_step_kind_and_place(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/executions/{site.failed()}")
    error = page.locator("#head .error")

    expect(error).to_contain_text(
        re.compile(r"fail: \w+: the oven is cold \(plain_steps\.py, line")
    )
    error.get_by_text("Where in the code").click()
    expect(error.locator("pre")).to_contain_text("raise")


def test_a_past_moment_of_an_ended_execution_stays_as_long_as_it_was(
    site: Site, page: Page
) -> None:
    address = f"{site.url}/executions/{site.failed()}?at_seq=3"
    page.goto(address)
    first = page.locator("#timeline > p").inner_text()
    page.wait_for_timeout(1_100)
    page.goto(address)

    assert page.locator("#timeline > p").inner_text() == first


@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
def test_a_long_name_pushes_nothing_out_of_view(
    site: Site, page: Page, window: dict[str, int]
) -> None:
    long_one = site.completed(name=f"{LONG_NAME}{window['width']}")
    page.set_viewport_size({"width": window["width"], "height": window["height"]})
    wider = {}
    for path in ("/", f"/executions/{long_one}", "/pipelines"):
        page.goto(f"{site.url}{path}")
        wider[path] = overflow(page)

    assert {path: by for path, by in wider.items() if by > 0} == {}


def test_the_steps_of_a_pipeline_tell_runs_and_skips_apart(site: Site, page: Page) -> None:
    site.completed()
    page.goto(f"{site.url}/pipelines?pipeline_id=chain#steps")

    expect(page.locator("#steps th", has_text="Ran")).to_have_count(1)
    expect(page.locator("#steps th", has_text="Skipped")).to_have_count(1)


def test_an_address_that_is_no_page_is_answered_as_a_page(site: Site, page: Page) -> None:
    answer = page.goto(f"{site.url}/pipelines/weather")
    program = httpx.get(f"{site.url}/api/nothing", headers={"Accept": "text/html"})

    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("alert")).to_contain_text("There is no page /pipelines/weather")
    assert program.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/pipelines", "/health"])
def test_the_head_of_a_page_can_be_asked_for_alone(site: Site, path: str) -> None:
    answer = httpx.head(f"{site.url}{path}")

    assert answer.status_code == 200
    assert answer.content == b""
