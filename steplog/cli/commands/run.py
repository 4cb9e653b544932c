"""`steplog run`: ask for an execution, and wait for its end if wanted."""

from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.status import Status

from steplog.cli.commands.show import read_execution
from steplog.cli.connect.sources import open_client
from steplog.cli.inputs.filters import key_and_value
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.inputs.pipeline_argument import PipelineArgument, pipeline_argument
from steplog.cli.inputs.times import moment_from_now
from steplog.cli.views.console import err, out, print_hint, print_json
from steplog.cli.views.execution import print_execution
from steplog.cli.views.hints import command_line
from steplog.cli.views.question_notices import question_notices
from steplog.client.client import Steplog
from steplog.client.json_input import parameter_of, value_of
from steplog.client.sender import Submitted
from steplog.errors import (
    BadInput,
    CommandWasRefused,
    ExecutionDidNotComplete,
    NotAnswered,
    ServiceUnreachable,
)
from steplog_contracts.records import ExecutionRecord, ExecutionStatus

# How long a run without --wait looks for a refusal.
OUTCOME_WAIT_MS = 2_000
_PARAMETER = (
    "A parameter, as JSON or text: year=2015, city=Oslo; may be given several times. "
    "Templates read it as {{ parameters.city }}; what steps get as data is --input."
)
_METADATA = "Text to find it by with `steplog ls --metadata`; may be given several times."


def run(
    pipeline: PipelineArgument,
    input: Annotated[  # noqa: A002
        str,
        typer.Option("--input", "-i", metavar="JSON|@FILE", help="The execution's input."),
    ] = "{}",
    parameters: Annotated[
        list[str] | None, typer.Option("--param", metavar="KEY=VALUE", help=_PARAMETER)
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help=_METADATA)
    ] = None,
    execution_id: Annotated[
        str | None, typer.Option("--id", help="Id of the execution; the same id runs once.")
    ] = None,
    not_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Start then: a time, or in 30s, 10m, 2h.")
    ] = None,
    priority: Annotated[
        int, typer.Option(min=-1_000_000, max=1_000_000, help="Higher starts first.")
    ] = 0,
    concurrency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Executions of one key run within its limit.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Wait for its end; exits with 2 if it failed.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Run a pipeline.

    Without --wait the command is in the log when this returns, and what became of it is seen with
    `steplog show`. With --embedded and --wait it runs in this process, on one SQLite file.

    $ steplog run pipeline.json --input '{"city": "Oslo"}' --wait
    $ steplog run my_steps.weather:flow --embedded --wait
    $ steplog run weather --param year=2015 --metadata customer=42 --not-before 10m
    """
    asked = _checked(pipeline_argument(pipeline))
    values = _values(parameters)
    given = {
        "input": _checked_input(asked, value_of(input), values),
        "parameters": values,
        "metadata": dict(key_and_value(pair, "--metadata") for pair in metadata or ()),
        "execution_id": execution_id,
        "not_before": None if not_before is None else moment_from_now(not_before),
        "priority": priority or None,
        "concurrency_key": concurrency_key,
    }
    settings = settings_with(data_dir, embedded=embedded, data=data)
    place = open_client(settings, runs=wait, pipeline=asked)
    try:
        _to_end(_run(place, asked, given, wait, as_json, settings.data_file))
    except KeyboardInterrupt:
        print_hint("Stopped waiting. What is recorded stays; see it with steplog ls.")
        raise


def _to_end(work: Coroutine[Any, Any, None]) -> None:
    """Run it; in embedded mode steps may have run here, and what they left holds nothing up."""
    from executor_service.process.process_end import run_to_end  # noqa: PLC0415 - loaded for this alone

    run_to_end(work)


def _checked(pipeline: str | Mapping[str, Any]) -> str | Mapping[str, Any]:
    """Return it; a definition that the executor would refuse for its keys is not even sent.

    Raises:
        DefinitionRefused: its shape or its keys are wrong; each place is named.
    """
    if isinstance(pipeline, str):
        return pipeline
    # Only here, so that running by name does not wait for the engine's import.
    from executor_service.definitions.unknown_keys import problems_of  # noqa: PLC0415
    from executor_service.errors import DefinitionRefused  # noqa: PLC0415

    problems = problems_of(pipeline)
    if problems:
        raise DefinitionRefused(problems)
    return pipeline


def _values(pairs: list[str] | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for pair in pairs or ():
        key, text = key_and_value(pair, "--param")
        values[key] = parameter_of(text)
    return values


async def _run(
    place: "AbstractAsyncContextManager[Steplog]",
    pipeline: str | Mapping[str, Any],
    given: Mapping[str, Any],
    wait: bool,
    as_json: bool,
    data_file: Path | None,
) -> None:
    async with place as steplog:
        submitted = await steplog.run(pipeline, **given)
        if not wait:
            await _refuse_what_was_refused(steplog, submitted)
            _tell_submitted(submitted, as_json)
            return
        execution_id = submitted.execution_id
        waiting = Status(f"Waiting for {execution_id}; Ctrl-C ends the waiting only", console=err)
        with waiting:
            async with question_notices(steplog.read, execution_id, data_file):
                execution = await steplog.result(submitted)
        answer = await read_execution(steplog.read, submitted.execution_id)
    if as_json:
        print_json(answer)
    else:
        print_execution(answer)
    _refuse_unless_completed(execution)


def _checked_input(
    pipeline: str | Mapping[str, Any], input_data: Any, parameters: Mapping[str, Any]
) -> Any:
    """Return an input that fits the definition's schema, where that is at hand to be held to.

    Raises:
        BadInput: it does not, or a parameter does not.
    """
    if isinstance(pipeline, str):
        return input_data
    if not isinstance(input_data, dict):
        raise BadInput(f"--input is {type(input_data).__name__}; give a JSON object.")
    # Both only here, as above.
    from executor_service.definitions.json_schemas import compile_schema  # noqa: PLC0415
    from executor_service.definitions.parameter_check import parameter_problem  # noqa: PLC0415

    schema = pipeline.get("input_schema")
    check = compile_schema(schema, "$.input_schema", lambda *_: None)
    problem = check(input_data) if check else None
    if problem is not None:
        raise BadInput(f"--input breaks the pipeline's input_schema: {problem}")
    problem = parameter_problem(check, schema, input_data, parameters)
    if problem is not None:
        raise BadInput(f"--param breaks the pipeline's input_schema: {problem}")
    return input_data


async def _refuse_what_was_refused(steplog: Steplog, submitted: Submitted) -> None:
    """Say at once what the executor refused, where something runs that can tell."""
    wait_ms = OUTCOME_WAIT_MS if steplog.read.can_stream else 0
    try:
        outcome = await steplog.read.command(submitted.command_id, wait_ms)
    except (NotAnswered, ServiceUnreachable):
        return  # It is in the log; whoever looks later learns what became of it.
    if outcome.status == "refused":
        raise CommandWasRefused(
            f"Command {submitted.command_id} was refused: {outcome.message or outcome.code}"
        )


def _tell_submitted(submitted: Submitted, as_json: bool) -> None:
    if as_json:
        print_json({"execution_id": submitted.execution_id, "command_id": submitted.command_id})
        return
    out.print(f"Execution [bold]{submitted.execution_id}[/] is in the log.")
    out.print(f"Its command is {submitted.command_id}.")
    show = command_line("show", submitted.execution_id)
    out.print(f"See it with [bold]{escape(show)}[/].", soft_wrap=True)


def _refuse_unless_completed(execution: ExecutionRecord) -> None:
    if execution.status is not ExecutionStatus.COMPLETED:
        retry = command_line("retry", execution.execution_id)
        raise ExecutionDidNotComplete.of(execution, retry)
