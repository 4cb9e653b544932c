"""`steplog fork`: new executions from recorded points of others, one or in bulk."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from steplog.cli.commands.bulk_fork import BulkFork, fork_failed
from steplog.cli.connect.submit import submit
from steplog.cli.inputs.filters import asked_for
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.client.json_input import value_of
from steplog.errors import BadInput
from steplog_contracts.records import ExecutionStatus

MAX_BULK = 100_000
DEFAULT_BULK = 1_000

_FROM = "The step that runs anew; in bulk, by default the one that failed."
_PATCH = "Laid over the input; null removes (JSON Merge Patch)."
_CANARY = "In bulk: fork so many first, and the rest only if all of these complete."

Origin = Annotated[str | None, typer.Argument(metavar="ID", help="The execution to fork.")]
FromStep = Annotated[str | None, typer.Option("--from", metavar="STEP", help=_FROM)]
Iteration = Annotated[int, typer.Option(min=1, help="Which visit to the step, in a loop.")]
Patch = Annotated[str, typer.Option("--input", "-i", metavar="JSON|@FILE", help=_PATCH)]
Failed = Annotated[bool, typer.Option("--failed", help="Fork all that failed since --since.")]
Since = Annotated[str | None, typer.Option(help="In bulk: a time, or so long ago: 30m, 2h, 7d.")]
OfPipeline = Annotated[str | None, typer.Option(help="In bulk: only of this pipeline.")]
Limit = Annotated[int, typer.Option(min=1, max=MAX_BULK, help="In bulk: at most so many.")]
Canary = Annotated[int, typer.Option(min=0, help=_CANARY)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="In bulk: only say what would be forked.")]


def fork(
    execution_id: Origin = None,
    from_step: FromStep = None,
    iteration: Iteration = 1,
    patch: Patch = "{}",
    failed: Failed = False,
    since: Since = None,
    pipeline: OfPipeline = None,
    limit: Limit = DEFAULT_BULK,
    canary: Canary = 0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Begin new executions from recorded points of others.

    What had ended before the step began is taken over and not run again; the step and what follows
    run anew. The origin stays as it is.

    $ steplog fork ID --from load --input '{"city": "Oslo"}'
    $ steplog fork --failed --since 2h --canary 5 --dry-run
    """
    input_patch = _patch(patch)
    settings = settings_with(data_dir, embedded=embedded, data=data)
    if failed:
        if execution_id is not None or since is None:
            raise BadInput("Give --failed with --since and without an ID, or an ID with --from.")
        which = asked_for(statuses=[ExecutionStatus.FAILED], pipeline=pipeline, since=since)
        wanted = BulkFork(
            which=which, from_step=from_step, input_patch=input_patch,
            limit=limit, canary=canary, dry_run=dry_run,
        )  # fmt: skip
        asyncio.run(fork_failed(settings, wanted, as_json=as_json))
        return
    if execution_id is None or from_step is None:
        raise BadInput("Name the execution and the step: steplog fork ID --from STEP.")
    submit(
        settings,
        lambda steplog: steplog.fork(
            execution_id, from_step, iteration=iteration, input_patch=input_patch
        ),
        "Execution {id} has begun from there. Follow it: {watch}",
        as_json=as_json,
    )


def _patch(text: str) -> Mapping[str, Any]:
    patch = value_of(text)
    if not isinstance(patch, dict):
        raise BadInput('The patch is no JSON object; give one such as \'{"city": "Oslo"}\'.')
    return patch
