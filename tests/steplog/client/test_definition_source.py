"""A pipeline is given by name, as a definition, as a file or as an object."""

import json
from pathlib import Path
from typing import Any

import pytest

from executor_service import create_pipeline_from_json
from steplog.client.definition_source import definition_or_name
from steplog.errors import BadInput
from tests.steplog.cli.plain_steps import chain

DEFINITION = chain("Greet")


def test_every_kind_of_source_leads_to_its_definition(tmp_path: Path) -> None:
    file = tmp_path / "greet.json"
    file.write_text(json.dumps(DEFINITION))
    pipeline = create_pipeline_from_json(DEFINITION)

    found = [definition_or_name(source) for source in (DEFINITION, file, str(file), pipeline)]

    assert found == [DEFINITION] * 4
    assert definition_or_name("weather") == "weather"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "A NoneType is no pipeline"),
        (7, "the path of its JSON file"),
        ([DEFINITION], "A list is no pipeline"),
        (Path("nowhere.json"), "nowhere.json can't be read"),
        ("flows/nowhere", "nowhere can't be read"),
        ("steps.py", "steps.py can't be read"),
        ("flow.yaml", "flow.yaml can't be read"),
    ],
)
def test_anything_else_is_refused_with_what_it_may_be(source: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        definition_or_name(source)
