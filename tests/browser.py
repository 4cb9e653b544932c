"""A real Chromium for tests: the system's own, since a browser of another make is no proof."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_MS = 30_000
# Several tests share two cores, so what is expected may come later than in 5 s.
expect.set_options(timeout=TIMEOUT_MS)
# It runs as root in containers, and looks for nothing on the network.
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium_path() -> str:
    """Return the path of the installed Chromium; without one the tests fail."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found is not None, "no Chromium is installed; `apt-get install chromium` brings one"
    return found


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Yield a browser that is closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=[*ARGUMENTS])
        yield browser
        browser.close()


def new_page(browser: Browser, *, dark: bool = False, width: int = 1280, height: int = 900) -> Page:
    """Return a page in a context of its own."""
    context = browser.new_context(
        color_scheme="dark" if dark else "light", viewport={"width": width, "height": height},
        timezone_id="UTC", locale="en-GB",
    )  # fmt: skip
    context.set_default_timeout(TIMEOUT_MS)
    return context.new_page()
