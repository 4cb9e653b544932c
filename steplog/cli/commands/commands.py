"""`steplog commands`: the commands topic, where a person has to decide."""

import typer

from steplog.cli.commands.command_offsets import reset
from steplog.cli.commands.command_skip import skip

app = typer.Typer(help="Commands that wait for a decision.", no_args_is_help=True)
app.command(name="reset")(reset)
app.command(name="skip")(skip)


@app.callback()
def commands() -> None:
    """Commands that wait for a decision."""
