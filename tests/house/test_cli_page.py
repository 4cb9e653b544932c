"""docs/cli.md tells every command, every exit code and every question of the API."""

import re
from pathlib import Path

import pytest

from steplog.cli import main
from steplog.cli.commands import replay_definition
from steplog.cli.lazy import entries
from tests.conformance.stores import TOPIC, sqlite_read_model
from tests.house.rules import ROOT
from tracker_service.api_server.app import make_app

PAGE = (ROOT / "docs" / "cli.md").read_text()
# The paths of the library before steplog have commands under their new names.
OLD = re.compile(r"/api/(execute(/|$)|hitl/)")


@pytest.mark.parametrize("name", [name for _, name, _ in entries()])
def test_a_command_is_on_the_page(name: str) -> None:
    assert f"`steplog {name}" in PAGE


def test_the_exit_codes_are_those_of_the_code() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}

    assert told == {
        0, main.EXIT_REFUSED, main.EXIT_EXECUTION_FAILED, replay_definition.EXIT_DIFFERENT,
        main.EXIT_USAGE, main.EXIT_INTERRUPTED,
    }  # fmt: skip


async def test_every_question_of_the_api_is_on_the_page(tmp_path: Path) -> None:
    async with sqlite_read_model(tmp_path / "rows.db") as rows:
        paths = make_app(rows.model, TOPIC).openapi()["paths"]
    asked = [path for path, what in paths.items() if "get" in what and path.startswith("/api/")]
    of_one = "/api/executions/{execution_id}"
    lost = [
        path
        for path in asked
        if not OLD.match(path)
        and f"`{path}`" not in PAGE
        and not (path.startswith(of_one) and f"`{path.removeprefix(of_one)}`" in PAGE)
    ]

    assert len(asked) > 20
    assert lost == []
