"""The page in a real browser: first paint and bytes of the list, and of a very long execution.

On an embedded file, so that what is measured is the page: the API's own speed on a large read model
is measured by `make bench-api`.
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.benchmarks.figures import percentile, publish_figures
from tests.benchmarks.noop import linear_definition
from tests.browser import new_page, running_browser
from tests.tracker.web.screenshots import serving, start

LOOKS = 9
LIST_EXECUTIONS = 60
LONG_STEPS = 1_000
_FIRST_PAINT = """() => new Promise(found => new PerformanceObserver((list, observer) => {
    for (const entry of list.getEntries())
        if (entry.name === "first-contentful-paint") found(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""


def look(browser: Browser, address: str) -> tuple[float, int]:
    """Return the milliseconds to the first paint and the bytes on the wire, nothing cached."""
    page = new_page(browser)
    sizes: list[int] = []
    page.on("requestfinished", lambda done: sizes.append(done.sizes()["responseBodySize"]))
    page.goto(address, wait_until="load")
    first_paint_ms = float(page.evaluate(_FIRST_PAINT))
    page.context.close()
    return first_paint_ms, sum(sizes)


def median_look(browser: Browser, address: str) -> tuple[float, int]:
    """Return the median first paint of several looks, and the bytes of the last."""
    look(browser, address)
    looks = [look(browser, address) for _ in range(LOOKS)]
    return percentile([paint for paint, _ in looks], 0.5), looks[-1][1]


def main() -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address:
        for number in range(LIST_EXECUTIONS):
            start(address, linear_definition(2), {"n": number})
        long = start(address, linear_definition(LONG_STEPS), {})
        with running_browser() as browser:
            list_ms, list_bytes = median_look(browser, f"{address}/")
            long_ms, long_bytes = median_look(browser, f"{address}/executions/{long}")
    publish_figures(
        "bench-page",
        {
            "first_paint_list_ms": list_ms,
            "list_bytes": list_bytes,
            "first_paint_1000_steps_ms": long_ms,
            "page_1000_steps_bytes": long_bytes,
        },
    )


if __name__ == "__main__":
    main()
