"""The code on the page about pipelines in Python runs as it is written, block after block."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.house.readme import blocks
from tests.house.rules import ROOT

PAGE = ROOT / "docs/python.md"
CODE = [block.text for block in blocks("python") if block.page == "docs/python.md"]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module made of the page's blocks."""
    module = ModuleType("python_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec("\n".join(CODE), vars(module))
    return module


def test_the_pages_code_runs_and_says_what_the_page_says(page: ModuleType) -> None:
    assert page.hello.run({"name": "Ida"})["output"]["greeting"] == "Hello, Ida!"
    assert page.result["output"]["report"] == "It is cold."


def test_hello_world_has_eight_lines_at_most(page: ModuleType) -> None:
    written = [line for line in CODE[0].splitlines() if line.strip()]

    assert len(written) <= 8
    assert page.greet("Ida") == {"greeting": "Hello, Ida!"}


def test_each_way_to_build_that_the_page_names_is_there() -> None:
    from steplog.builder import StepPlace  # noqa: PLC0415 - what the page is held to

    named = {"then", "branch", "catch", "switch", "map", "child", "ask", "wait", "set", "noop"}
    text = Path(PAGE).read_text()
    assert all(f".{name}(" in text and hasattr(StepPlace, name) for name in named | {"fail"})
