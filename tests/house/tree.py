"""What the house asks of the tree as a whole: no dead module, nothing of another place."""

import ast
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath

from tests.house.rules import PACKAGES, ROOT, Source, imports

# A folder of one machine, or where one machine gets its packages.
_FOREIGN = (
    re.compile(r"(?<![\w.$}-])/(work|root|Users|home/(?!steplog\b)\w+)/"),
    re.compile(r"\bfile:" + r"//+\w"),
    re.compile(r"(?i)https?://[^\s\"'<>]*(pypi|pythonhosted|artifactory|nexus|/simple\b)"),
    re.compile(r"--(?:(extra-)?index-url|find-links|trusted-host)\b|PIP_" + "INDEX_URL"),
)

# A module and what is in it, as text: loaded when it is needed.
_PLACE = re.compile(r"([a-z_]+(?:\.[a-z_]+)+):[a-z_]+")


@cache
def texts() -> Mapping[str, str]:
    """Return every file under version control, or about to be, that is text; by its path."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return {
        name: (ROOT / name).read_text(encoding="utf-8", errors="replace")
        for name in sorted(set(listed))
        if (ROOT / name).is_file()
    }


def foreign(path: str, text: str) -> list[str]:
    """Return lines that name a folder of one machine or the address of a package registry."""
    return [
        f"{path}:{number} names {found.group()}"
        for number, line in enumerate(text.splitlines(), 1)
        for pattern in _FOREIGN
        if (found := pattern.search(line))
    ]


def module_of(path: str) -> str:
    """Return the dotted name of a file; a package's for its `__init__.py`."""
    parts = PurePosixPath(path.removeprefix("contracts/")).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def dead_modules(product: Sequence[Source], others: Mapping[str, str]) -> list[str]:
    """Return modules that no module of the product imports and no other file starts or names.

    Args:
        product: the packages' files.
        others: texts that may name a module to be run or used: build files, definitions, pages.
    """
    imported = {name for source in product for name in _imported_by(source)}
    named = "\n".join(others.values())
    return [
        f"{source.path} is used by nobody"
        for source in product
        if (module := module_of(source.path)) not in imported
        and module not in PACKAGES
        and not re.search(rf"(?<![\w.]){re.escape(_run_as(module))}(?![\w])", named)
    ]


def _imported_by(source: Source) -> set[str]:
    own = module_of(source.path)
    found = {name for name in (*imports(source), *_named_by(source)) if name != own}
    # Importing a module imports the packages it lies in.
    parents = {
        ".".join(name.split(".")[:n]) for name in found for n in range(1, name.count(".") + 1)
    }
    return found | parents


def _named_by(source: Source) -> Iterator[str]:
    """Yield modules of places such as `package.module:name`, which are loaded when needed."""
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            place = _PLACE.fullmatch(node.value)
            if place is not None:
                yield place[1]


def _run_as(module: str) -> str:
    """Return what starts a module: a package's `__main__` goes by the package's name."""
    return module.removesuffix(".__main__")
