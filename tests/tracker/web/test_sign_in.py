"""Where access asks for a token, the page asks for it too, and shows what its role may do."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from steplog import health
from steplog.local.ports import free_ports
from tests.steplog.local.waiting import wait_until
from tests.tracker.web.site import WAIT_S, Site
from tracker_service.access.roles import Role
from tracker_service.access.tokens import new_token, token_line

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
TOKENS = {role: new_token() for role in (Role.VIEWER, Role.OPERATOR)}


@pytest.fixture(scope="module")
def guarded(site: Site) -> Iterator[str]:
    """Return the address of an API beside the open one that wants a token."""
    port = free_ports(1)[0]
    lines = ";".join(token_line(token, role.name.lower(), role) for role, token in TOKENS.items())
    site.services.start_api(port, "guarded", STEPLOG_API_TOKENS=lines)
    address = f"http://127.0.0.1:{port}"
    told = {"STEPLOG_API_PORT": str(port)}
    wait_until(lambda: health.main(["api"], told) == health.EXIT_WELL, WAIT_S)
    yield address
    site.services.stop("guarded")


def sign_in(page: Page, token: str) -> None:
    """Give a token."""
    page.get_by_label("Access token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_a_stranger_is_led_to_sign_in_and_back(site: Site, guarded: str, page: Page) -> None:
    failed = site.failed()
    page.goto(f"{guarded}/executions/{failed}?at_seq=2")
    expect(page).to_have_url(f"{guarded}/sign-in?next=%2Fexecutions%2F{failed}%3Fat_seq%3D2")
    sign_in(page, TOKENS[Role.OPERATOR])

    expect(page).to_have_url(f"{guarded}/executions/{failed}?at_seq=2")
    expect(page.locator("h1 .status")).to_contain_text("running")


def test_an_operator_acts_and_a_viewer_only_looks(site: Site, guarded: str, page: Page) -> None:
    address = f"{guarded}/executions/{site.failed()}"
    page.goto(address)
    sign_in(page, TOKENS[Role.VIEWER])
    expect(page.locator("h1 .status")).to_contain_text("failed")
    offered = page.get_by_role("button", name="Retry").count()
    page.goto(f"{guarded}/sign-in?next=/")
    sign_in(page, TOKENS[Role.OPERATOR])
    expect(page).to_have_url(f"{guarded}/")
    page.goto(address)
    page.get_by_role("button", name="Retry").click()
    page.locator("#retry").get_by_role("button", name="Retry").click()

    expect(page.locator("#head")).to_contain_text("Retry of")
    assert offered == 0


@pytest.mark.parametrize("next_page", ["//elsewhere.example", "https://elsewhere.example", "/\\x"])
def test_signing_in_leads_nowhere_else(guarded: str, page: Page, next_page: str) -> None:
    page.goto(f"{guarded}/sign-in?next={next_page}")
    sign_in(page, TOKENS[Role.VIEWER])

    expect(page).to_have_url(f"{guarded}/")


def test_a_wrong_token_is_told(guarded: str, page: Page) -> None:
    page.goto(f"{guarded}/sign-in")
    sign_in(page, "stl_wrong")

    expect(page.get_by_role("alert")).to_contain_text("token")
