"""The house stays in order: sizes, names, doors; and the rules themselves can fail."""

from statistics import median

import pytest

from tests.house.rules import (
    MAX_MEDIAN_FILE_LINES,
    MAX_MEDIAN_FUNCTION_LINES,
    PACKAGES,
    RULES,
    Rule,
    Source,
    functions,
    sources,
)


@pytest.fixture(scope="module")
def everything() -> list[Source]:
    """Return every Python file of the repository."""
    return sources(*PACKAGES, "tests", "examples")


@pytest.fixture(scope="module")
def product() -> list[Source]:
    """Return the files of the packages."""
    return sources(*PACKAGES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_file_breaks_the_rule(everything: list[Source], rule: Rule) -> None:
    broken = [one for source in everything for one in rule(source)]

    assert broken == []


def test_files_are_short_at_the_median(product: list[Source]) -> None:
    lengths = [len(source.lines) for source in product if source.text.strip()]

    assert median(lengths) <= MAX_MEDIAN_FILE_LINES


def test_functions_are_short_at_the_median(product: list[Source]) -> None:
    lengths = [lines for source in product for _, lines in functions(source)]

    assert median(lengths) <= MAX_MEDIAN_FUNCTION_LINES


@pytest.mark.parametrize(
    ("path", "text", "rule_name"),
    [
        ("steplog/a.py", "x = 1\n" * 301, "too_long_files"),
        ("steplog/a.py", "def f():\n" + "    x = 1\n" * 60, "too_long_functions"),
        ("steplog/a.py", f"x = '{'y' * 100}'", "too_long_lines"),
        ("steplog/a.py", "x = 1", "missing_docstrings"),
        ("steplog/a.py", "try:\n    x\nexcept:\n    pass", "bare_excepts"),
        ("steplog/utils.py", "", "banned_names"),
        ("steplog/common/a.py", "", "banned_names"),
        ("contracts/a.py", "import aiokafka", "wrong_doors"),
        ("tracker_service/worker.py", "def f():\n    from asyncpg import x", "wrong_doors"),
        ("tests/a.py", "from unittest import mock", "wrong_doors"),
        ("tests/a.py", "import pytest\n@pytest.mark.skip\ndef f(): ...", "skipped_tests"),
        ("steplog/a.py", "# FIX" + "ME: later", "left_for_later"),
    ],
)
def test_a_planted_violation_is_found(path: str, text: str, rule_name: str) -> None:
    """A rule that can't fail keeps no order."""
    rule = next(rule for rule in RULES if rule.__name__ == rule_name)

    assert rule(Source(path, text))


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("executor_service/adapters/kafka_log.py", "aiokafka"),
        ("tracker_service/store/postgres/store.py", "asyncpg"),
        ("steplog/topics.py", "aiokafka.admin"),
    ],
)
def test_a_door_lets_its_own_through(path: str, module: str) -> None:
    rule = next(rule for rule in RULES if rule.__name__ == "wrong_doors")

    assert rule(Source(path, f"import {module}")) == []
