"""`make screenshots`: every page in light and dark, as docs/screenshots shows them.

The pages are those of embedded mode, on a file that is thrown away; examples run on it.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from steplog.local.ports import free_ports
from tests.browser import new_page, running_browser
from tests.services import ROOT
from tests.steplog.cli.plain_steps import chain
from tests.steplog.local.waiting import wait_until

FOLDER = ROOT / "docs" / "screenshots"
START_TIMEOUT_S = 60.0
SQUARE_ROOTS = 12


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Yield the address of an embedded steplog that ends with the block."""
    port = free_ports(1)[0]
    address = f"http://127.0.0.1:{port}"
    command = ("up", "--embedded", "--data", str(folder / "steplog.db"), "--api-port", str(port))
    process = subprocess.Popen(
        [sys.executable, "-m", "steplog.cli.main", *command],
        cwd=ROOT,
        env={**os.environ, "STEPLOG_STEP_MODULES": "examples.*,tests.*", "MPLBACKEND": "Agg"},
    )
    try:
        wait_until(lambda: _answers(address), START_TIMEOUT_S)
        yield address
    finally:
        process.terminate()
        process.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").is_success
    except httpx.HTTPError:
        return False


def _completed(execution: str) -> bool:
    return bool(httpx.get(execution).json()["execution"]["status"] == "completed")


def start(address: str, definition: object, given: object) -> str:
    """Start an execution and return its id once it is in the rows."""
    body = {"definition": definition, "input": given}
    answer = httpx.post(f"{address}/api/executions", json=body).raise_for_status().json()
    command = f"{address}/api/commands/{answer['command_id']}?timeout_ms=5000"
    wait_until(lambda: httpx.get(command, timeout=30).json()["status"] == "applied", 60)
    return str(answer["execution_id"])


def example(name: str) -> object:
    """Return an example's definition."""
    return json.loads((ROOT / "examples" / name / "pipeline.json").read_text())


def pages(address: str, folder: Path) -> dict[str, str]:
    """Run the examples and return the path of each page."""
    for number in range(2, 2 + SQUARE_ROOTS):
        start(address, example("square_root"), {"number": number})
    failed = start(address, chain("Greet", "Fail"), {"name": "Ada"})
    waiting = start(address, example("article_approval"), {"topic": "The price of tea"})
    weather = start(address, example("seattle_weather"), {"output_dir": str(folder / "reports")})
    prices = start(address, example("stock_prices"), {"output_dir": str(folder / "prices")})
    for name in (weather, prices):
        one = f"{address}/api/executions/{name}"
        wait_until(lambda at=one: _completed(at), 60)
    return {
        "executions": "/",
        "execution": f"/executions/{weather}",
        "failed": f"/executions/{failed}",
        "waiting": f"/executions/{waiting}",
        "map": f"/executions/{prices}",
        "past": f"/executions/{weather}?at_seq=5",
        "pipelines": "/pipelines?window=1h",
        "health": "/health",
    }


def main() -> None:
    """Make every picture anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address:
        shown = pages(address, Path(folder))
        with running_browser() as browser:
            for dark in (False, True):
                page = new_page(browser, dark=dark, height=820)
                for name, path in shown.items():
                    page.goto(address + path, wait_until="load")
                    file = FOLDER / f"{name}-{'dark' if dark else 'light'}.png"
                    page.screenshot(path=file)


if __name__ == "__main__":
    main()
