"""What a person does on the page, in a real browser, on a real pair."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.steplog.cli.plain_steps import chain
from tests.tracker.web.site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
LIST_BYTES = 150_000


def test_an_execution_is_started_and_seen_to_its_end(site: Site, page: Page) -> None:
    page.goto(site.url)
    page.get_by_role("button", name="Start an execution").click()
    page.get_by_label("Definition").fill(
        '{"name": "greet", "steps": [{"id": "greet", "module": "tests.steplog.cli.plain_steps", '
        '"step_class": "Greet"}], "flow": {"start_at": "greet", "paths": []}}'
    )
    page.get_by_label("Input").fill('{"name": "Ada"}')
    page.get_by_role("button", name="Start", exact=True).click()

    page.wait_for_url(re.compile("/executions/"))
    expect(page.locator("h1 .status")).to_contain_text("completed")
    expect(page.locator(".graph .s-completed")).to_have_count(1)


def test_what_is_no_json_is_told_before_anything_is_sent(site: Site, page: Page) -> None:
    page.goto(site.url)
    page.get_by_role("button", name="Start an execution").click()
    page.get_by_label("Definition").fill("{")
    page.get_by_role("button", name="Start", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("Definition is not JSON")


def test_the_list_shows_what_begins_while_it_is_open(site: Site, page: Page) -> None:
    page.goto(site.url)
    new = site.completed()

    expect(page.locator("#rows tr", has_text=new)).to_contain_text("completed")


def test_a_person_answers_a_question(site: Site, page: Page) -> None:
    waiting = site.asking()
    page.goto(f"{site.url}/executions/{waiting}")
    page.get_by_label("Verdict").select_option(label="publish")
    page.get_by_role("button", name="Answer").click()

    expect(page.locator("h1 .status")).to_contain_text("completed")
    expect(page.get_by_label("Verdict")).to_have_count(0)
    expect(page.locator(".graph .node", has_text="Publish")).to_have_class(
        re.compile("s-completed")
    )


def test_what_a_person_has_filled_in_stays_while_the_page_follows(site: Site, page: Page) -> None:
    waiting = site.asking()
    page.goto(f"{site.url}/executions/{waiting}")
    page.get_by_label("Verdict").select_option(label="publish")
    page.locator("#at-seq").fill("2")
    with page.expect_response(re.compile("/executions/")):
        page.evaluate(
            "document.activeElement.blur(); document.dispatchEvent(new CustomEvent('refresh'))"
        )
    # The parts are put in right after the response; one more look is after that for certain.
    with page.expect_response(re.compile("/executions/")):
        page.evaluate("document.dispatchEvent(new CustomEvent('refresh'))")

    expect(page.get_by_label("Verdict")).to_have_value('"publish"')
    expect(page.locator("#at-seq")).to_have_value("2")


def test_an_open_page_follows_what_others_do(site: Site, page: Page) -> None:
    waiting = site.asking()
    page.goto(f"{site.url}/executions/{waiting}")
    expect(page.locator("h1 .status")).to_contain_text("waiting for human")
    httpx.post(
        f"{site.url}/api/executions/{waiting}/cancel", json={"reason": "test"}
    ).raise_for_status()

    expect(page.locator("h1 .status")).to_contain_text("cancelled")


def test_a_failed_execution_is_retried_and_linked(site: Site, page: Page) -> None:
    failed = site.failed()
    page.goto(f"{site.url}/executions/{failed}")
    expect(page.locator("#head .error")).to_contain_text("the oven is cold")
    page.get_by_role("button", name="Retry").click()
    page.locator("#retry").get_by_role("button", name="Retry").click()

    page.wait_for_url(lambda url: "/executions/" in url and failed not in url)
    expect(page.locator("#head")).to_contain_text("Retry of")
    page.get_by_role("link", name=failed).click()
    expect(page.locator("#head")).to_contain_text("Retries")


def test_a_fork_begins_at_the_step_chosen(site: Site, page: Page) -> None:
    failed = site.failed()
    page.goto(f"{site.url}/executions/{failed}")
    page.get_by_role("button", name="Fork").click()
    dialog = page.locator("#fork")
    dialog.get_by_label("From step").select_option("greet")
    dialog.get_by_label("Changes to the input").fill('{"name": "Bo"}')
    dialog.get_by_role("button", name="Fork").click()

    page.wait_for_url(lambda url: "/executions/" in url and failed not in url)
    expect(page.locator("#head")).to_contain_text("at greet")
    page.get_by_text("Input and output").click()
    expect(page.locator("#values")).to_contain_text("Bo")


def test_a_refused_command_is_told_in_its_dialog(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/executions/{site.failed()}")
    page.get_by_role("button", name="Fork").click()
    dialog = page.locator("#fork")
    dialog.get_by_label("Visit").fill("7")
    dialog.get_by_role("button", name="Fork").click()

    expect(dialog.get_by_role("alert")).to_contain_text("never reached visit 7")


def test_an_execution_is_seen_as_it_stood_after_any_event(site: Site, page: Page) -> None:
    failed = site.failed()
    page.goto(f"{site.url}/executions/{failed}")
    page.locator("#at-seq").fill("2")
    page.locator(".travel").get_by_role("button", name="Show").click()

    expect(page.locator("h1 .status")).to_contain_text("running")
    expect(page.get_by_role("note")).to_contain_text("as it stood after event 2")
    expect(page.locator(".graph .node", has_text="fail")).to_have_class(re.compile("s-not_reached"))
    page.get_by_role("link", name="Back to now").click()
    expect(page.locator("h1 .status")).to_contain_text("failed")


def test_the_list_is_seen_as_it_stood_at_a_moment(site: Site, page: Page) -> None:
    waiting = site.asking()
    begun = httpx.get(f"{site.url}/api/executions/{waiting}").json()["execution"]["started_at"]
    httpx.post(f"{site.url}/api/executions/{waiting}/cancel", json={}).raise_for_status()
    site.until(waiting, "cancelled")
    page.goto(f"{site.url}/?as_of={begun.replace('+00:00', 'Z')}")

    expect(page.locator("#rows tr", has_text=waiting)).to_contain_text("running")
    expect(page.get_by_role("note")).to_contain_text("as it stood then")


def test_steps_and_events_open_with_their_values(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/executions/{site.failed()}")
    page.locator("#timeline summary", has_text="greet").click()
    page.get_by_text("Recorded events").click()

    expect(page.locator("#timeline .inside").first).to_contain_text("Hello, Ada")
    expect(page.locator("#events tbody tr")).to_have_count(6)


def test_filters_stand_in_the_address_and_find(site: Site, page: Page) -> None:
    failed = site.failed()
    page.goto(site.url)
    page.get_by_label("Error has").fill("oven")
    page.get_by_role("button", name="Show").click()

    expect(page).to_have_url(re.compile(r"/\?error=oven$"))
    expect(page.locator("#rows tr", has_text=failed)).to_be_visible()
    expect(page.locator("#rows .s-completed")).to_have_count(0)


def test_the_list_is_small_on_the_wire(site: Site, page: Page) -> None:
    site.completed()
    sizes: list[int] = []
    page.on("requestfinished", lambda done: sizes.append(done.sizes()["responseBodySize"]))
    page.goto(site.url, wait_until="load")

    assert 0 < sum(sizes) < LIST_BYTES


def test_what_is_not_there_is_told_on_a_page(site: Site, page: Page) -> None:
    response = page.goto(f"{site.url}/executions/nobody")

    assert response is not None
    assert response.status == 404
    expect(page.get_by_role("alert")).to_contain_text("There is no execution nobody")


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "{{ 7*7 }}", "'\"><img src=x>"])
def test_text_of_users_is_shown_and_never_run(site: Site, page: Page, text: str) -> None:
    execution_id = site.run(
        {**chain("Ask"), "name": text},
        {"said": text},
    )  # fmt: skip
    site.until(execution_id, "waiting_for_human")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(f"{site.url}/executions/{execution_id}")
    page.get_by_text("Input and output").click()

    expect(page.locator("#values .string", has_text=text).first).to_be_visible()
    expect(page.locator("dt + dd a").first).to_have_text(text)
