"""`steplog cancel`: stop an execution before its next step."""

from typing import Annotated

import typer

from steplog.cli.connect.submit import ExecutionId, submit
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with


def cancel(
    execution_id: ExecutionId,
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")] = "",
    compensate: Annotated[
        bool, typer.Option("--compensate", help="Undo its completed steps first.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Stop an execution before its next step; running async steps are cancelled.

    $ steplog cancel ID --reason 'ordered twice'
    """
    submit(
        settings_with(data_dir, embedded=embedded, data=data),
        lambda steplog: steplog.cancel(execution_id, reason, compensate=compensate),
        "Execution {id} is cancelled.",
        as_json=as_json,
    )
