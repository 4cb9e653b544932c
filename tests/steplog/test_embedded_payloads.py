"""Large values in embedded mode: a folder beside the file, with nothing to set."""

from pathlib import Path

import pytest

from steplog.embedded import Embedded
from tests.e2e.large_steps import ROW
from tests.e2e.test_large_payloads import WANTED_ROWS, definition


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the file will be."""
    return tmp_path / "steplog.db"


async def test_large_values_go_through_a_file_and_come_back(file: Path) -> None:
    async with Embedded.open(file) as steplog:
        submitted = await steplog.run(definition(), {"given": "g" * 2_000_000})
        execution = await steplog.result(submitted, timeout_s=60)
        assert execution.references is not None
        kept = execution.references["/output_data/rows"]
        rows = await steplog.payload(execution.execution_id, kept.sha256)

    assert execution.output_data["characters"] == len(ROW) * len(WANTED_ROWS)
    assert rows == WANTED_ROWS
    assert Path(kept.uri.removeprefix("file://")).parts[-3] == f"{file.name}-payloads"
