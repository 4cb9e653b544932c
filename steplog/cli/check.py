"""`steplog check`: everything wrong with a definition, at once, before anything runs."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from executor_service.blueprint import Blueprint, compile_definition
from executor_service.compat import Difference, differences
from executor_service.errors import DefinitionRefused, Problem
from executor_service.flow_drawing import mermaid, terminal
from executor_service.loading import Allowlist
from executor_service.runner import read_definition_file

EXIT_REFUSED = 1
STEP_MODULES_SETTING = "STEPLOG_STEP_MODULES"


def check(
    file: Annotated[Path, typer.Argument(help="A pipeline definition (JSON).")],
    graph: Annotated[bool, typer.Option("--graph", help="Draw the flow.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    compat: Annotated[
        bool, typer.Option("--compat", help="Say what ia_modules would do differently.")
    ] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(help=f"Module steps may come from; else {STEP_MODULES_SETTING} says."),
    ] = None,
) -> None:
    """Check a definition: unknown steps, operators, templates and modules, with place and hint.

    Exit code 0 if it would be accepted, 1 if it would be refused.
    """
    sys.path.insert(0, str(Path.cwd()))  # Step modules beside the definition, as when run here.
    blueprint: Blueprint | None = None
    try:
        definition = read_definition_file(file)
        unlike = differences(definition) if compat else []
        blueprint = compile_definition(definition, _allowlist(allow))
        problems = list(blueprint.warnings)
    except DefinitionRefused as refused:
        problems, unlike = [*refused.problems, *refused.warnings], []
    if as_json:
        typer.echo(_json(blueprint, problems, unlike, graph=graph))
    else:
        typer.echo(_text(file, blueprint, problems, unlike, graph=graph))
    if blueprint is None:
        raise typer.Exit(EXIT_REFUSED)


def _allowlist(allow: list[str] | None) -> Allowlist:
    listed = allow or [m for m in os.environ.get(STEP_MODULES_SETTING, "").split(",") if m.strip()]
    return Allowlist(listed) if listed else Allowlist.everything()


def _text(
    file: Path,
    blueprint: Blueprint | None,
    problems: list[Problem],
    unlike: list[Difference],
    *,
    graph: bool,
) -> str:
    lines = [f"{problem.severity}: {problem}" for problem in problems]
    lines += [f"differs: {difference}" for difference in unlike]
    errors = sum(problem.severity == "error" for problem in problems)
    if blueprint is None:
        lines.append(f"{file}: refused, {errors} error{'s' if errors != 1 else ''}.")
        return "\n".join(lines)
    steps, paths = len(blueprint.plan.steps), len(blueprint.plan.paths)
    lines.append(f"{file}: in order, {steps} steps, {paths} paths.")
    if graph:
        lines += ["", terminal(blueprint), "", "```mermaid", mermaid(blueprint), "```"]
    return "\n".join(lines)


def _json(
    blueprint: Blueprint | None,
    problems: list[Problem],
    unlike: list[Difference],
    *,
    graph: bool,
) -> str:
    answer = {
        "accepted": blueprint is not None,
        "problems": [
            {"severity": p.severity, "path": p.json_path, "message": p.message, "hint": p.hint}
            for p in problems
        ],
        "differences": [{"path": d.json_path, "there": d.there, "here": d.here} for d in unlike],
    }
    if graph and blueprint is not None:
        answer["graph"] = {"mermaid": mermaid(blueprint), "terminal": terminal(blueprint)}
    return json.dumps(answer, indent=2, ensure_ascii=False)
