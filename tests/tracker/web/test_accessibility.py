"""Every page can be used by everybody: no serious finding of axe-core, in light and in dark."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser import new_page
from tests.tracker.web.site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
SERIOUS = frozenset({"serious", "critical"})


def serious(page: Page) -> list[str]:
    """Return axe's serious findings with the places they are at."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']} at {one['nodes'][0]['target']}"
        for one in found
        if one["impact"] in SERIOUS
    ]


@pytest.fixture(scope="module")
def addresses(site: Site) -> dict[str, str]:
    """Return the address of each page."""
    failed, waiting = site.failed(), site.asking()
    return {
        "list": "/",
        "past": "/?as_of=2026-01-01T00:00:00Z",
        "failed": f"/executions/{failed}",
        "stood": f"/executions/{failed}?at_seq=3",
        "waiting": f"/executions/{waiting}",
        "pipelines": "/pipelines?window=1h",
        "health": "/health",
        "nobody": "/executions/nobody",
        "sign-in": "/sign-in",
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "name",
    ["list", "past", "failed", "stood", "waiting", "pipelines", "health", "nobody", "sign-in"],
)
def test_a_page_has_no_serious_finding(
    site: Site, browser: Browser, addresses: dict[str, str], name: str, dark: bool
) -> None:
    page = new_page(browser, dark=dark)
    page.goto(site.url + addresses[name])

    assert serious(page) == []
    page.context.close()


def test_opened_parts_and_dialogs_have_none_either(
    site: Site, browser: Browser, addresses: dict[str, str]
) -> None:
    page = new_page(browser)
    page.goto(site.url + addresses["failed"])
    for name in ("Input and output", "Recorded events", "Definition"):
        page.get_by_text(name, exact=True).click()
    page.locator("#events table").wait_for()
    opened = serious(page)
    page.get_by_role("button", name="Fork").click()

    assert opened == []
    assert serious(page) == []
    page.context.close()


def test_a_phone_needs_no_sideways_scrolling(
    site: Site, browser: Browser, addresses: dict[str, str]
) -> None:
    page = new_page(browser, width=390, height=800)
    widths = {}
    for name, address in addresses.items():
        page.goto(site.url + address)
        widths[name] = page.evaluate("document.documentElement.scrollWidth")

    assert {name: width for name, width in widths.items() if width > 390} == {}
    page.context.close()


def test_the_list_can_be_used_by_keyboard_alone(site: Site, browser: Browser) -> None:
    site.completed()
    page = new_page(browser)
    page.goto(site.url)
    page.keyboard.press("Tab")
    skipping = page.evaluate("document.activeElement.textContent")
    page.locator("#rows td.id a").first.focus()
    page.keyboard.press("Enter")

    page.wait_for_url("**/executions/**")
    assert skipping == "Skip to content"
    page.context.close()
