"""Every code a command can be refused with stands in the operators' table."""

import ast
import re
from collections.abc import Iterator

from executor_service.commands import refusals
from tests.house.rules import ROOT, Source, sources

RAISED = frozenset({"CommandNotApplicable", "UndecodableRecord"})


def raised(source: Source) -> Iterator[str]:
    """Yield the codes that a file raises refusals with."""
    for node in ast.walk(source.tree):
        name = getattr(getattr(node, "func", None), "id", None)
        if isinstance(node, ast.Call) and name in RAISED:
            yield from code_given(node)
        elif isinstance(node, ast.ClassDef) and RAISED & {ast.unparse(one) for one in node.bases}:
            # A refusal of its own kind gives its code to the one it derives from.
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__":
                    yield from code_given(call)


def code_given(call: ast.Call) -> Iterator[str]:
    """Yield the code among a call's arguments."""
    given = call.args[0] if call.args else call.keywords[0].value
    if isinstance(given, ast.Constant):
        yield str(given.value)


def codes() -> set[str]:
    """Return every code of a refusal."""
    found = {code for source in sources("executor_service", "contracts") for code in raised(source)}
    return found | {code for _, code in refusals._CODES} | {refusals._DEFAULT_CODE}


def documented() -> set[str]:
    """Return the codes in the table of refusals."""
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    table = text.partition("## Refusals")[2].partition("\n## ")[0]
    first_cells = (line.split("|")[1] for line in table.splitlines() if line.startswith("|"))
    return {code for cell in first_cells for code in re.findall(r"`([a-z_]+)`", cell)}


def test_every_code_is_documented() -> None:
    assert codes() - documented() == set()


def test_no_code_is_documented_that_nothing_is_refused_with() -> None:
    assert documented() - codes() == set()
