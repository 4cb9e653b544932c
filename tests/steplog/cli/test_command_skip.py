"""`steplog commands skip`: the command at an offset is refused, those behind it are run."""

import json
from pathlib import Path

from tests.steplog.cli.command_line import steplog
from tests.steplog.cli.plain_steps import definition


def test_a_command_in_a_file_is_skipped_and_the_next_one_is_run(tmp_path: Path) -> None:
    flow, file = tmp_path / "flow.json", str(tmp_path / "s.db")
    step = {"id": "a", "module": "tests.executor.example_steps", "step_class": "Echo"}
    flow.write_text(json.dumps({**definition("x"), "steps": [{**step, "id": "only"}]}))
    told = ("--embedded", "--data", file)
    env = {"STEPLOG_STEP_MODULES": "tests.executor.example_steps"}
    steplog("run", str(flow), "--id", "first", *told, env=env)

    shown = steplog("commands", "skip", "--offset", "0", "--dry-run", *told)
    skipped = steplog("commands", "skip", "--offset", "0", *told)
    ran = steplog("run", str(flow), "--id", "second", "--wait", *told, env=env)
    first = steplog("show", "first", *told)

    assert "Nothing has been changed" in shown.out
    assert "Start the executors now" in skipped.out
    assert ran.exit_code == 0, ran.err
    assert first.exit_code == 1
