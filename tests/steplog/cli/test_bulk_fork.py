"""`steplog fork --failed`: one piece of work is forked once."""

import json
from pathlib import Path

import pytest

from tests.steplog.cli.command_line import steplog
from tests.steplog.cli.plain_steps import chain

pytestmark = pytest.mark.e2e
ALLOWED = {"STEPLOG_STEP_MODULES": "tests.*"}


def test_a_child_that_failed_with_its_parent_is_left_to_the_parents_fork(tmp_path: Path) -> None:
    place = f"--data={tmp_path / 'steplog.db'}"
    call = {"id": "call", "type": "pipeline", "definition": chain("Fail")}
    file = tmp_path / "parent.json"
    flow = {"start_at": "call", "paths": []}
    file.write_text(json.dumps({"name": "parent", "steps": [call], "flow": flow}))
    ran = steplog("run", str(file), "--embedded", "--wait", "--id", "e-1", place, env=ALLOWED)

    failed = json.loads(steplog("ls", "--status", "failed", "--json", place).out)["items"]
    planned = steplog("fork", "--failed", "--since", "1h", "--dry-run", "--json", place)

    assert (ran.exit_code, len(failed)) == (2, 2), ran.err
    assert [(one["origin"], one["from_step"]) for one in json.loads(planned.out)] == [
        ("e-1", "call")
    ]
