"""No circle of imports between files, under `TYPE_CHECKING` or inside a function included.

Circles between folders, at any depth, are import-linter's: see `acyclic_siblings` in
`pyproject.toml`, which does not look at a package's own `__init__.py`.
"""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

from tests.house.rules import PACKAGES


def circle(imports: Mapping[str, set[str]]) -> list[str]:
    """Return modules that import one another in a circle, the first again at the end."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_no_files_import_one_another_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)

    found = circle({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})

    assert found == []


@pytest.mark.parametrize(
    ("imports", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}}, {"a", "b", "c"}),
        ({"a": {"b", "c"}, "b": {"c"}, "c": set()}, set()),
    ],
)
def test_a_planted_circle_is_found(imports: Mapping[str, set[str]], found: set[str]) -> None:
    assert set(circle(imports)) == found
