"""One run over a file of many people: it imports what it names, and leaves the rest as it is."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor_service.definitions.asked_modules import AskedModules
from steplog.embedded.client import Embedded
from steplog.embedded.settings import EmbeddedSettings
from steplog_contracts.records import ExecutionStatus
from tests.steplog.cli.command_line import steplog

MINE = """
from steplog import Step


class Greet(Step):
    async def run(self, data):
        return {"said": "hello"}


class Ask(Step):
    async def run(self, data):
        return {"status": "human_input_required", "prompt": "Go on?"}


class Fail(Step):
    async def run(self, data):
        raise ValueError("cold oven")
"""
FOREIGN = (
    f"open('imported', 'a').close()\n{MINE}\n\ndef holds(context, parameters):\n    return True\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand in a folder with a module of one's own and one of somebody else."""
    (tmp_path / "my_steps.py").write_text(MINE)
    (tmp_path / "foreign_steps.py").write_text(FOREIGN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("my_steps", "foreign_steps"):
        sys.modules.pop(name, None)


def of(module: str, step_class: str = "Greet", **more: Any) -> dict[str, Any]:
    step = {"id": "a", "module": module, "step_class": step_class}
    return {"name": module, "steps": [step], "flow": {"start_at": "a", "paths": []}, **more}


def asking(folder: Path) -> EmbeddedSettings:
    return EmbeddedSettings(folder / "steplog.db", asked=AskedModules())


def forget_imports(folder: Path) -> None:
    sys.modules.pop("foreign_steps", None)
    (folder / "imported").unlink(missing_ok=True)


async def test_a_command_of_somebody_else_stays_and_runs_where_it_is_allowed(folder: Path) -> None:
    async with Embedded.over(asking(folder)) as first:
        left = await first.run(of("my_steps"), execution_id="mine")
        assert (await first.result(left)).status is ExecutionStatus.COMPLETED
    (folder / "foreign.json").write_text(json.dumps(of("foreign_steps")))
    queued = steplog("run", "foreign.json", "--data=steplog.db", "--id", "theirs", cwd=folder)
    assert queued.exit_code == 0, queued.err

    for name in ("second", "third"):
        settings = asking(folder)
        async with Embedded.over(settings) as steplog_of_mine:
            ran = await steplog_of_mine.result(
                await steplog_of_mine.run(of("my_steps"), execution_id=name)
            )
            assert await steplog_of_mine.get("theirs") is None
        assert ran.status is ExecutionStatus.COMPLETED
        assert settings.asked is not None
        assert settings.asked.left == {"foreign_steps"}
        assert not (folder / "imported").exists()

    async with Embedded.open(folder / "steplog.db") as everything:
        submitted = await everything.run(of("my_steps"), execution_id="last")
        await everything.result(submitted)
        theirs = await everything.get("theirs")
        listed = await everything.executions()
    assert theirs is not None
    assert theirs.status is ExecutionStatus.COMPLETED
    assert len(listed.items) == 5


@pytest.mark.parametrize(
    "condition",
    [{"type": "custom", "function": "foreign_steps.holds"},
     {"type": "function", "module_path": "foreign_steps", "function_name": "holds"}],
)  # fmt: skip
async def test_modules_of_conditions_count_as_those_of_steps(
    folder: Path, condition: dict[str, Any]
) -> None:
    step = {"id": "b", "module": "my_steps", "step_class": "Greet"}
    path = {"from": "a", "to": "b", "condition": condition}
    foreign = of("my_steps", flow={"start_at": "a", "paths": [path]})
    foreign["steps"].append(step)
    settings = asking(folder)
    assert settings.asked is not None
    settings.asked.ask_for(of("my_steps"))

    with pytest.raises(Exception, match="foreign_steps"):
        settings.asked.admit(foreign)
    settings.asked.ask_for(foreign)
    settings.asked.admit(foreign)

    assert not (folder / "imported").exists()


async def test_an_unfinished_execution_of_somebody_else_stays_and_can_be_cancelled(
    folder: Path,
) -> None:
    path = folder / "steplog.db"
    async with Embedded.open(path) as both:
        for module in ("my_steps", "foreign_steps"):
            asked = await both.run(of(module, "Ask"), execution_id=module)
            await both.applied(asked)
            async for glimpse in both.watch(module):
                if glimpse.execution.status is ExecutionStatus.WAITING_FOR_HUMAN:
                    break
    forget_imports(folder)

    async with Embedded.over(asking(folder)) as mine:
        answered = await mine.resume("my_steps", {})
        done = await mine.result(answered)
        await mine.applied(await mine.cancel("foreign_steps"))
        cancelled = await mine.get("foreign_steps")

    assert done.status is ExecutionStatus.COMPLETED
    assert cancelled is not None
    assert cancelled.status is ExecutionStatus.CANCELLED
    assert not (folder / "imported").exists()


async def test_a_command_of_somebody_else_is_cancelled_without_its_code(folder: Path) -> None:
    (folder / "foreign.json").write_text(json.dumps(of("foreign_steps")))
    steplog("run", "foreign.json", "--data=steplog.db", "--id", "theirs", cwd=folder)

    async with Embedded.over(asking(folder)) as mine:
        await mine.applied(await mine.cancel("theirs"))
        cancelled = await mine.get("theirs")

    assert cancelled is not None
    assert cancelled.status is ExecutionStatus.CANCELLED
    assert not (folder / "imported").exists()


async def test_retry_and_fork_allow_what_their_origin_was_recorded_with(folder: Path) -> None:
    path = folder / "steplog.db"
    async with Embedded.open(path) as both:
        for module in ("my_steps", "foreign_steps"):
            submitted = await both.run(of(module, "Fail"), execution_id=module)
            assert (await both.result(submitted)).status is ExecutionStatus.FAILED
    forget_imports(folder)

    async with Embedded.over(asking(folder)) as mine:
        retried = await mine.result(await mine.retry("my_steps"))
        forked = await mine.result(await mine.fork("my_steps", "a"))
    assert not (folder / "imported").exists()
    async with Embedded.over(replace(asking(folder), path=path)) as theirs:
        again = await theirs.result(await theirs.retry("foreign_steps"))

    assert {one.status for one in (retried, forked, again)} == {ExecutionStatus.FAILED}
    assert (folder / "imported").exists()


def test_the_command_line_says_what_it_left(folder: Path) -> None:
    for module in ("my_steps", "foreign_steps"):
        (folder / f"{module}.json").write_text(json.dumps(of(module)))
    steplog("run", "foreign_steps.json", "--data=steplog.db", cwd=folder)

    ran = steplog("run", "my_steps.json", "--data=steplog.db", "--wait", cwd=folder)
    looked_at = steplog("check", "foreign_steps.json", "--no-import", cwd=folder)
    missing = steplog("check", "missing.json", "--no-import", cwd=folder)

    assert ran.exit_code == 0, ran.err
    assert "(foreign_steps). To run it, set STEPLOG_STEP_MODULES" in ran.err
    assert (looked_at.exit_code, "is fine" in looked_at.out) == (0, True)
    assert missing.exit_code == 1
    assert not (folder / "imported").exists()


async def test_a_replay_imports_nothing_that_only_the_recorded_definition_names(
    folder: Path,
) -> None:
    condition = {"type": "custom", "function": "foreign_steps.holds"}
    flow = {"start_at": "a", "paths": [{"from": "a", "to": "b", "condition": condition}]}
    recorded = of("my_steps", flow=flow)
    recorded["steps"].append({"id": "b", "module": "my_steps", "step_class": "Greet"})
    async with Embedded.open(folder / "steplog.db") as both:
        await both.result(await both.run(recorded, execution_id="e-1"))
    forget_imports(folder)
    (folder / "changed.json").write_text(json.dumps(of("my_steps")))

    replayed = steplog("replay-definition", "changed.json", "--data=steplog.db", cwd=folder)

    assert "1 can't be told" in replayed.out
    assert not (folder / "imported").exists()


async def test_children_that_are_written_into_a_definition_are_asked_for_with_it(
    folder: Path,
) -> None:
    step = {"id": "call", "type": "pipeline", "definition": of("my_steps")}
    parent = {"name": "parent", "steps": [step], "flow": {"start_at": "call", "paths": []}}

    async with Embedded.over(asking(folder)) as embedded:
        ended = await embedded.result(await embedded.run(parent))

    assert ended.status is ExecutionStatus.COMPLETED
