"""`steplog token new`: a bearer token for the API, and the line that makes it known."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from steplog.cli.inputs.options import AsJson
from steplog.cli.views.console import out, print_json
from steplog.errors import BadInput
from tracker_service.access.roles import Role
from tracker_service.access.tokens import new_token, token_line

MAX_DAYS = 3_650

app = typer.Typer(help="Tokens for the HTTP API.", no_args_is_help=True)


@app.callback()
def token() -> None:
    """Tokens for the HTTP API."""


@app.command()
def new(
    role: Annotated[str, typer.Option(help="viewer, operator or admin.")],
    name: Annotated[
        str, typer.Option(help="Whom it is for; stands in the log beside his commands.")
    ] = "steplog",
    expires_in_days: Annotated[
        int | None, typer.Option(min=1, max=MAX_DAYS, help="Without it the token stays valid.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it once, with the line for STEPLOG_API_TOKENS_FILE.

    The API keeps the line alone, which holds the token's hash; nobody can show the token again.

    $ steplog token new --role viewer --name ada --expires-in-days 90
    """
    known = Role.named(role)
    if known is None:
        raise BadInput(f"There is no role {role!r}; use viewer, operator or admin.")
    if not name or any(mark.isspace() or mark in "#;" for mark in name):
        raise BadInput("The name can't be empty and can't hold blanks, # or ;.")
    expires_at = None
    if expires_in_days is not None:
        expires_at = datetime.now(UTC) + timedelta(days=expires_in_days)
    token = new_token()
    line = token_line(token, name, known, expires_at)
    if as_json:
        print_json({"token": token, "line": line})
        return
    out.print(f"token  {token}", soft_wrap=True, highlight=False)
    out.print(f"line   {line}", soft_wrap=True)
