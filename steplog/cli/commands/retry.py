"""`steplog retry`: go on where a failed execution stopped."""

from steplog.cli.connect.submit import ExecutionId, submit
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with


def retry(
    execution_id: ExecutionId,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Begin a new execution that goes on where a failed or cancelled one stopped.

    What had ended is taken over; the failed execution stays as it is.

    $ steplog retry ID
    """
    submit(
        settings_with(data_dir, embedded=embedded, data=data),
        lambda steplog: steplog.retry(execution_id),
        "Execution {id} continues from the failed step. Follow it: {watch}",
        as_json=as_json,
    )
