"""Nothing a command says stops a partition: it is refused, and the next one is carried out."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor_service.definitions.catalogue import DefinitionCatalogue
from executor_service.definitions.step_loader import Allowlist
from steplog_contracts.commands import CancelExecution, RunPipeline
from steplog_contracts.encoder import ExecutionEncoder
from steplog_contracts.envelope import Record
from steplog_contracts.events import CommandRefused, ExecutionStarted, StepStarted
from steplog_contracts.payload import JsonObject
from tests.executor.support import people_steps
from tests.executor.support.odd_commands import ODD_DEFINITIONS, ODD_RECORDS, STEP, TIME
from tests.executor.support.odd_modules import ODD_MODULES, forget_modules, write_modules
from tests.executor.support.partition_harness import PARTITION, Owning, linear

# On a machine that does nothing else it takes milliseconds; a fault takes minutes.
AT_MOST_S = 20.0


@pytest.mark.parametrize("change", ODD_DEFINITIONS.values(), ids=ODD_DEFINITIONS)
async def test_an_odd_definition_is_refused_and_the_next_command_carried_out(
    change: JsonObject,
) -> None:
    definition = {"name": "odd", "steps": [STEP], "flow": {"start_at": "a"}, **change}
    owning = await Owning().begin()
    began = time.monotonic()

    await owning.run_definition("e-1", definition)
    await owning.run("e-2", "Quick")

    assert owning.refusals() == [("c0", "bad_definition")]
    assert owning.kinds("e-1") == []
    assert owning.kinds("e-2")[-1] == "ExecutionCompleted"
    assert owning.commit().command_offset == 2
    assert time.monotonic() - began < AT_MOST_S


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    names = write_modules(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_modules()
    yield names
    forget_modules()


async def test_a_module_is_refused_whatever_it_raises(modules: list[str]) -> None:
    owning = await Owning().begin()
    allowlist = Allowlist(
        [people_steps.__name__, *(m for m in modules if "." not in m), "odd_package.*"]
    )
    owning.context.catalogue = DefinitionCatalogue(allowlist, None)

    for number, module in enumerate(modules):
        step = {"id": "a", "module": module, "step_class": "Step"}
        odd = {"name": "odd", "steps": [step], "flow": {"start_at": "a"}}
        await owning.run_definition(f"odd-{number}", odd)
    await owning.run("e-1", "Quick")

    assert {code for _, code in owning.refusals()} == {"bad_definition"}
    assert len(owning.refusals()) == len(ODD_MODULES)
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"


@pytest.mark.parametrize("record", ODD_RECORDS.values(), ids=ODD_RECORDS)
async def test_an_odd_record_is_answered_and_the_next_command_carried_out(record: Record) -> None:
    owning = await Owning().begin()

    await owning.send_record(record)
    await owning.run("e-2", "Quick")

    assert len(owning.refusals()) + len(owning.set_aside) == 1
    assert owning.kinds("e") == []
    assert owning.kinds("e-2")[-1] == "ExecutionCompleted"
    assert owning.commit().command_offset == 2


async def test_a_command_id_of_another_execution_is_refused() -> None:
    owning = await Owning().begin()
    run = linear("Quick")
    await owning.send(RunPipeline(execution_id="e-1", definition=run), "twin")

    await owning.send(RunPipeline(execution_id="e-2", definition=run), "twin")
    again = await owning.restarted(commit=False)
    await again.send(CancelExecution(execution_id="e-3"), "twin")

    assert set(again.refusals()) == {("twin", "duplicate_command")}
    assert again.kinds("e-1")[-1] == "ExecutionCompleted"
    assert again.kinds("e-2") == again.kinds("e-3") == []


def foreign(execution_id: str, event: ExecutionStarted | StepStarted, seq: int) -> Record:
    return ExecutionEncoder(execution_id, source="/elsewhere").encode(event, seq=seq, time=TIME)


async def test_an_execution_of_another_program_gets_no_event() -> None:
    owning = Owning()
    started = ExecutionStarted(pipeline_id="p", pipeline_name="p", input={}, total_steps=1)
    with_definition = started.model_copy(update={"definition": linear("Quick")})
    for execution_id, event in (("f-1", started), ("f-2", with_definition)):
        owning.events.land(PARTITION, [foreign(execution_id, event, 1)])

    await owning.begin()
    await owning.run("e-1", "Quick")

    assert owning.kinds("f-1") == owning.kinds("f-2") == ["ExecutionStarted"]
    assert owning.kinds("e-1")[-1] == "ExecutionCompleted"


async def test_a_history_that_can_not_be_run_here_is_held() -> None:
    owning = await Owning().begin()
    await owning.run("e-1", "Ask")
    history = owning.events
    after = await owning.restarted()
    after.context.catalogue = DefinitionCatalogue(Allowlist([]), None)

    await after.resume("e-1", answer=1)
    after.context.catalogue = DefinitionCatalogue(Allowlist([people_steps.__name__]), None)
    await after.run("e-2", "Quick")

    assert after.events is history
    assert after.kinds("e-2")[-1] == "ExecutionCompleted"


async def test_a_refusal_is_never_larger_than_the_log_takes() -> None:
    owning = await Owning().begin()
    steps = [{"id": f"{'s' * 400}{n}", "module": "nowhere"} for n in range(2_000)]

    await owning.run_definition("e-1", {"name": "n", "steps": steps, "flow": {"start_at": "z"}})

    [refused] = [
        recorded.event
        for recorded in owning.events.taken(PARTITION)
        if isinstance(recorded.event, CommandRefused)
    ]
    assert len(refused.message) < 10_000
