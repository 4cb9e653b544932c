"""`steplog replay-definition`: whom a changed definition would lead another way."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from executor_service.definitions.asked_modules import AskedModules
from executor_service.definitions.replay import Rehearsing
from executor_service.definitions.step_loader import Allowlist
from executor_service.engine.replay import Divergence
from executor_service.errors import DefinitionRefused
from steplog.cli.connect.sources import open_read
from steplog.cli.inputs import filters
from steplog.cli.inputs.options import AsJson, DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import err, out, plain_table, print_json
from steplog.client.json_input import definition_in
from steplog.client.read_api import Parameter
from steplog.client.recorded_events import recorded_events
from steplog.errors import NotAnswered
from steplog.settings import SteplogSettings
from steplog_contracts.payload import JsonObject

EXIT_DIFFERENT = 3
MAX_SHOWN = 50


def replay_definition(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The changed definition.")],
    statuses: filters.Statuses = None,
    pipeline: filters.OfPipeline = None,
    since: filters.BegunSince = None,
    until: filters.BegunUntil = None,
    metadata: filters.WithMetadata = None,
    limit: filters.Limit = filters.DEFAULT_EXECUTIONS,
    over: filters.Over = "",
    as_json: AsJson = False,
    data_dir: DataDir = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Lead recorded executions through a changed definition; exits with 3 if one would differ.

    No step runs: each visit ends as it is recorded, and the changed definition's conditions decide
    where the flow goes from there.

    $ steplog replay-definition pipeline.json --pipeline weather --since 7d
    """
    # The executor finds condition functions beside it, so they are looked for here too.
    sys.path.insert(0, str(Path.cwd()))
    settings = settings_with(data_dir, embedded=embedded, data=data)
    changed = dict(definition_in(file))
    rehearsing = Rehearsing(changed, _allowlist(settings, changed))
    options = {
        "statuses": statuses, "pipeline": pipeline, "since": since, "until": until,
        "metadata": metadata, "limit": limit, **filters.options_in(over),
    }  # fmt: skip
    limit = options.pop("limit")
    told = asyncio.run(_replay(settings, rehearsing, filters.asked_for(**options), limit))
    if as_json:
        print_json(told.document())
    else:
        told.show(file)
    if told.different:
        raise typer.Exit(EXIT_DIFFERENT)


def _allowlist(settings: SteplogSettings, changed: JsonObject) -> Allowlist:
    if settings.step_modules:
        return Allowlist(settings.step_modules.split(","))
    # Recorded definitions are other people's: what only they name is not imported.
    asked = AskedModules()
    asked.ask_for(changed)
    return asked


class Told:
    """What came out: by execution the first difference, or why it can't be told."""

    def __init__(self) -> None:
        self.same = 0
        self.different: dict[str, Divergence] = {}
        self.untold: dict[str, str] = {}

    def take(self, execution_id: str, difference: Divergence | None) -> None:
        """Count one execution."""
        if difference is None:
            self.same += 1
        else:
            self.different[execution_id] = difference

    def document(self) -> dict[str, Any]:
        """Return everything for programs."""
        return {
            "same": self.same,
            "different": {name: asdict(one) for name, one in self.different.items()},
            "not_told": self.untold,
        }

    def show(self, file: Path) -> None:
        """Print it for people."""
        if self.different:
            out.print(_table(self.different))
        hidden = len(self.different) - MAX_SHOWN
        if hidden > 0:
            out.print(f"[dim]and {hidden} more; --json has all[/]")
        for execution_id, reason in list(self.untold.items())[:MAX_SHOWN]:
            out.print(f"[yellow]?[/] {escape(execution_id)}: {escape(reason)}", soft_wrap=True)
        out.print(
            f"Under {escape(str(file))} {self.same} executions go the same way, "
            f"{len(self.different)} would differ, {len(self.untold)} can't be told.",
            soft_wrap=True,
        )


async def _replay(
    settings: SteplogSettings, rehearsing: Rehearsing, asked: dict[str, Parameter], limit: int
) -> Told:
    told = Told()
    async with open_read(settings) as read:
        with err.status("Reading histories") as status:
            async for execution in filters.matching(read, asked, limit):
                execution_id = execution.execution_id
                try:
                    events = await recorded_events(read, execution_id)
                    told.take(execution_id, rehearsing.difference(events))
                except (NotAnswered, DefinitionRefused) as error:
                    told.untold[execution_id] = str(error)
                status.update(f"Reading histories: {told.same + len(told.different)}")
    return told


def _table(different: Mapping[str, Divergence]) -> Any:
    table = plain_table("execution", "differs at", "recorded", "would be")
    for execution_id, one in list(different.items())[:MAX_SHOWN]:
        visit = f" (visit {one.iteration})" if one.iteration > 1 else ""
        place = escape(f"{one.step_id}{visit}") or "-"
        if one.kind == "route":
            routes = [", ".join(names) or "the branch ends" for names in (one.recorded, one.would)]
            table.add_row(escape(execution_id), place, *map(escape, routes))
        else:
            said = f"{one.kind.replace('_', ' ')}: {one.message}"
            table.add_row(escape(execution_id), place, "", escape(said))
    return table
