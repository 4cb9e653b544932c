"""`steplog resume`: answer a step that waits for a person."""

import asyncio
from typing import Annotated

import typer

from steplog.cli.commands.answer_form import asked_answer, checked_answer, open_question
from steplog.cli.connect.submit import ExecutionId, submit
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.client.json_input import value_of


def resume(
    execution_id: ExecutionId,
    answer: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            metavar="JSON|@FILE",
            help="The answer the step waits for; without it you are asked, on a terminal.",
        ),
    ] = None,
    step: Annotated[
        str | None, typer.Option(help="The waiting step; may be left out if only one waits.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Answer a step that waits for a person; the answer is held to what the step asked for.

    $ steplog resume ID
    $ steplog resume ID --input '{"verdict": "publish"}'
    """
    settings = settings_with(data_dir, embedded=embedded, data=data)
    given = None if answer is None else value_of(answer)
    question = asyncio.run(open_question(settings, execution_id, step))
    human_input = checked_answer(
        question, asked_answer(question, execution_id) if answer is None else given
    )
    submit(
        settings,
        lambda steplog: steplog.resume(execution_id, human_input, step),
        "Execution {id} continues with the answer. Follow it: {watch}",
        as_json=as_json,
    )
