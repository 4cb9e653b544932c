"""Commands from the command line: sent, then followed until the rows show what became of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer
from rich.markup import escape

from steplog.cli.connect.sources import open_client
from steplog.cli.views.console import out, print_json
from steplog.cli.views.hints import command_line
from steplog.errors import NotAnswered, ServiceUnreachable
from steplog.settings import SteplogSettings

# What sends commands takes long to load; commands that look take their argument from here too.
if TYPE_CHECKING:
    from steplog.client.client import Steplog
    from steplog.client.sender import Submitted

OUTCOME_WAIT_S = 10.0

ExecutionId = Annotated[str, typer.Argument(metavar="ID", help="The execution's id.")]

Asking: TypeAlias = "Callable[[Steplog], Awaitable[Submitted]]"


def submit(settings: SteplogSettings, ask: Asking, done: str, *, as_json: bool) -> None:
    """Send a command and tell what became of it.

    Args:
        settings: where to send it.
        ask: sends it.
        done: what a person is told once it is applied; `{id}` stands for the execution, `{watch}`
            for the command that follows it.
        as_json: print ids for programs instead.

    Raises:
        CommandWasRefused: the executor refused it.
    """
    submitted, unknown_because = asyncio.run(_submit(settings, ask))
    applied = unknown_because is None
    if as_json:
        print_json(
            {
                "execution_id": submitted.execution_id,
                "command_id": submitted.command_id,
                "status": "applied" if applied else "unknown",
            }
        )
    elif applied:
        watch = escape(command_line("watch", submitted.execution_id))
        told = done.format(id=f"[bold]{submitted.execution_id}[/]", watch=watch)
        out.print(told, soft_wrap=True)
    else:
        out.print(f"The command is in the log and will be carried out. {unknown_because}")


async def _submit(settings: SteplogSettings, ask: Asking) -> "tuple[Submitted, str | None]":
    async with open_client(settings) as steplog:
        submitted = await ask(steplog)
        return submitted, await why_not_applied(steplog, submitted)


async def why_not_applied(steplog: "Steplog", submitted: "Submitted") -> str | None:
    """Return None once a command shows in the rows, else why that is not known.

    It is in the log, so an API that can't tell is no failure of the command.
    """
    try:
        async with asyncio.timeout(OUTCOME_WAIT_S):
            await steplog.applied(submitted)
    except TimeoutError:
        return f"It does not show in the rows after {OUTCOME_WAIT_S:.0f} s."
    except (NotAnswered, ServiceUnreachable) as error:
        return f"What became of it can't be told now: {error}"
    return None
