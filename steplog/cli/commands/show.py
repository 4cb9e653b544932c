"""`steplog show`: one execution with its steps, relatives, questions and flow."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from steplog.cli.connect.sources import idle_file, open_read
from steplog.cli.connect.submit import ExecutionId
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.inputs.times import AsOf, time_parameter
from steplog.cli.views.console import out, print_json
from steplog.cli.views.execution import print_execution, print_tracebacks
from steplog.cli.views.flow import drawn_flow
from steplog.client.read_api import ReadApi, path_of
from steplog.errors import BadInput
from steplog.settings import SteplogSettings
from steplog_contracts.records import FINAL_EXECUTION_STATUSES

# Of values that are stored apart; larger ones are marked, and `steplog payload` prints them.
MAX_SHOWN_BYTES: Final = 8 * 1024 * 1024


def show(
    execution_id: ExecutionId,
    graph: Annotated[
        bool, typer.Option("--graph", help="Draw its flow with the state of each step.")
    ] = False,
    definition: Annotated[
        bool, typer.Option("--definition", help="Print the definition it runs by, as JSON.")
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Print where in your code its steps failed.")
    ] = False,
    as_of: AsOf = None,
    at_seq: Annotated[
        int | None,
        typer.Option("--at-seq", metavar="N", min=1, help="As it stood after its event N."),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Show one execution and the steps it took; with --as-of or --at-seq as it stood then.

    $ steplog show ID
    $ steplog show ID --graph
    $ steplog show ID --as-of 2h
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    then = {"as_of": time_parameter(as_of), "at_seq": at_seq}
    is_past = as_of is not None or at_seq is not None
    if is_past + graph + definition + traceback > 1:
        raise BadInput("Give one of --graph, --definition, --traceback, and --as-of or --at-seq.")
    answer: Mapping[str, Any]
    if is_past:
        answer = _asked(settings, path_of(execution_id), then)
    elif graph or definition:
        answer = _asked(settings, path_of(execution_id, "graph" if graph else "definition"), {})
    else:
        answer = asyncio.run(_read(settings, execution_id))
    if definition:
        print_json(answer["definition"])
    elif as_json:
        print_json(answer)
    elif traceback:
        print_tracebacks(answer)
    elif graph:
        out.print(drawn_flow(answer), soft_wrap=True)
    else:
        print_execution(answer)
        ended = answer["execution"]["status"] in FINAL_EXECUTION_STATUSES
        if not is_past and not ended and (idle := idle_file(settings)) is not None:
            out.print(idle, style="yellow", markup=False, soft_wrap=True)


async def read_execution(read: ReadApi, execution_id: str) -> dict[str, Any]:
    """Return `execution`, `steps`, `waits`, `relatives` and `freshness` as the API has them."""
    one = await read.get(path_of(execution_id))  # Alone, for it may not be there.
    steps, waits, attempts, relatives = await asyncio.gather(
        *(
            read.get(path_of(execution_id, part))
            for part in ("steps", "waits", "attempts", "relatives")
        ),
    )
    answer = {
        "execution": one["execution"],
        "steps": steps["items"],
        "waits": waits["items"],
        "attempts": attempts["items"],
        "relatives": {name: told for name, told in relatives.items() if name != "freshness"},
        "freshness": one["freshness"],
    }
    return await _with_values(read, answer)


async def _with_values(read: ReadApi, answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer about one execution with the values that are stored apart, up to a bound."""
    listed = [name for name in ("steps", "waits", "interactions") if name in answer]
    rows = [answer["execution"], *(row for name in listed for row in answer[name])]
    execution, *rest = await read.whole(rows, MAX_SHOWN_BYTES)
    following = iter(rest)
    whole: dict[str, Any] = {name: [next(following) for _ in answer[name]] for name in listed}
    return answer | whole | {"execution": execution}


async def _read(settings: SteplogSettings, execution_id: str) -> dict[str, Any]:
    async with open_read(settings) as read:
        return await read_execution(read, execution_id)


def _asked(
    settings: SteplogSettings, path: str, asked: Mapping[str, str | int | None]
) -> dict[str, Any]:
    async def read() -> dict[str, Any]:
        async with open_read(settings) as api:
            answer = await api.get(path, **asked)
            return await _with_values(api, answer) if "execution" in answer else answer

    return asyncio.run(read())
