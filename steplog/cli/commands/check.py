"""`steplog check`: everything wrong with a definition at once, and its flow drawn."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from executor_service import (
    Allowlist,
    Blueprint,
    DefinitionRefused,
    Problem,
    compile_definition,
)
from executor_service.definitions.blueprint import compile_unloaded
from executor_service.definitions.diagram import mermaid, terminal
from executor_service.library.compat import Difference, differences
from steplog.cli.inputs.options import AsJson
from steplog.cli.inputs.pipeline_argument import definition_argument
from steplog.cli.views.console import out, print_json, print_plain
from steplog.settings import load_settings

EXIT_REFUSED = 1


def check(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE|MODULE:NAME", help="A definition: its file, or a module's."),
    ],
    graph: Annotated[bool, typer.Option("--graph", help="Draw the flow.")] = False,
    as_mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print the flow as a Mermaid chart and no more.")
    ] = False,
    compat: Annotated[
        bool, typer.Option("--compat", help="Say what ia_modules would do differently.")
    ] = False,
    imports: Annotated[
        bool,
        typer.Option(" /--no-import", help="Import no step module, so run no code of others."),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Check a definition: every problem with its place.

    Exits with 1 if it would be refused. A key that means nothing where it stands is refused: most
    are known ones misspelt. Own keys begin with x- or stand under metadata.

    It imports the step modules that the definition names, which runs their code. Give --no-import
    for a definition from elsewhere: then all is checked but that its modules and classes are there.
    Modules are held to STEPLOG_STEP_MODULES if it is set, as by the executor.

    $ steplog check pipeline.json --graph
    $ steplog check my_steps.weather:flow
    $ steplog check from-elsewhere.json --no-import
    """
    # The executor finds step modules beside it, so they are looked for here too.
    sys.path.insert(0, str(Path.cwd()))
    definition = dict(definition_argument(file))
    unlike = differences(definition) if compat else []
    try:
        compiled = compile_definition if imports else compile_unloaded
        blueprint = compiled(definition, _allowlist())
    except DefinitionRefused as refused:
        _tell([*refused.problems, *refused.warnings], unlike, file, as_json)
        raise typer.Exit(EXIT_REFUSED) from None
    if as_mermaid:
        print_plain(mermaid(blueprint))
        return
    _tell(blueprint.warnings, unlike, file, as_json, blueprint, graph=graph)


def _allowlist() -> Allowlist:
    modules = load_settings().step_modules
    return Allowlist(modules.split(",")) if modules else Allowlist.everything()


def _tell(
    problems: Sequence[Problem],
    unlike: Sequence[Difference],
    file: str,
    as_json: bool,
    blueprint: Blueprint | None = None,
    *,
    graph: bool = False,
) -> None:
    if as_json:
        print_json(_document(problems, unlike, blueprint, graph=graph))
        return
    for problem in problems:
        style = "red" if problem.severity == "error" else "yellow"
        out.print(f"[{style}]{problem.severity}[/] {escape(str(problem))}", soft_wrap=True)
    for difference in unlike:
        out.print(f"[cyan]differs[/] {escape(str(difference))}", soft_wrap=True)
    if blueprint is None:
        out.print(f"{file} would be refused.", soft_wrap=True)
        return
    steps, paths = len(blueprint.plan.steps), len(blueprint.plan.paths)
    out.print(
        f"[green]✓[/] {file} is fine: {_counted(steps, 'step')}, {_counted(paths, 'path')}.",
        soft_wrap=True,
    )
    if graph:
        out.print(f"\n{escape(terminal(blueprint))}", soft_wrap=True)
        out.print(f"\n```mermaid\n{escape(mermaid(blueprint))}\n```", soft_wrap=True)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _document(
    problems: Sequence[Problem],
    unlike: Sequence[Difference],
    blueprint: Blueprint | None,
    *,
    graph: bool,
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "valid": blueprint is not None,
        "problems": [asdict(problem) for problem in problems],
        "differences": [asdict(difference) for difference in unlike],
    }
    if graph and blueprint is not None:
        document["graph"] = {"terminal": terminal(blueprint), "mermaid": mermaid(blueprint)}
    return document
