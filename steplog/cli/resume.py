"""`steplog resume`: answer a step that waits for a person."""

from typing import Annotated

import typer

from steplog.cli.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.reading import value_of
from steplog.cli.submitting import ExecutionId, submit


def resume(
    execution_id: ExecutionId,
    answer: Annotated[
        str,
        typer.Option("--input", "-i", metavar="JSON|@FILE", help="The answer the step waits for."),
    ] = "{}",
    step: Annotated[
        str | None, typer.Option(help="The waiting step; may be left out if only one waits.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Answer a step that waits for a person.

    $ steplog resume ID --input '{"verdict": "publish"}'
    """
    human_input = value_of(answer)
    submit(
        settings_with(data_dir, embedded=embedded, data=data),
        lambda steplog: steplog.resume(execution_id, human_input, step),
        "Execution {id} continues with the answer. Follow it: steplog watch {id}",
        as_json=as_json,
    )
