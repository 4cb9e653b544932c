"""One running pair and one browser for all tests of the page."""

import asyncio
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from steplog.admin.topics import apply_topics
from steplog.local.ports import free_ports
from steplog.local.services import tracker_keeps_up
from steplog_contracts.topics import topics_for
from tests.browser import new_page, running_browser
from tests.conftest import TEST_PARTITIONS, database
from tests.services import Services
from tests.steplog.local.waiting import wait_until
from tests.tracker.web.site import STEPS, WAIT_S, Site


@pytest.fixture(scope="package")
def site(
    kafka_bootstrap: str, postgres_server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Return a running pair with its page."""
    namespace, port = f"test-{uuid.uuid4().hex[:12]}", free_ports(1)[0]
    asyncio.run(apply_topics(kafka_bootstrap, tuple(topics_for(namespace, TEST_PARTITIONS))))
    with database(postgres_server_url) as url:
        services = Services(
            kafka_bootstrap, url, namespace, tmp_path_factory.mktemp("site"), STEPS, TEST_PARTITIONS
        )
        try:
            services.start_executor()
            services.start_tracker()
            services.wait_ready()
            services.start_api(port)
            address = f"http://127.0.0.1:{port}"
            wait_until(lambda: tracker_keeps_up(address), WAIT_S)
            yield Site(address, services)
        finally:
            services.stop_all()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Return a real browser."""
    with running_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page that had no error of its own when the test is over."""
    page = new_page(browser)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    page.context.close()
    assert [error for error in errors if "Failed to load resource" not in error] == []
