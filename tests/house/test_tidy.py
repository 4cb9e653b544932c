"""The house stays in order: sizes, names, doors; and the rules themselves can fail."""

from statistics import median

import pytest

from tests.house.rules import (
    MAX_MEDIAN_FILE_LINES,
    MAX_MEDIAN_FUNCTION_LINES,
    PRODUCT,
    RULES,
    Rule,
    Source,
    functions,
    sources,
)
from tests.house.tree import dead_modules, foreign, texts

NAMING = (".toml", ".yaml", ".json", ".md", ".sh", "Makefile", "Dockerfile")


@pytest.fixture(scope="module")
def everything() -> list[Source]:
    """Return every Python file of the repository."""
    return sources(*PRODUCT, "tests", "examples")


@pytest.fixture(scope="module")
def product() -> list[Source]:
    """Return the files of the packages."""
    return sources(*PRODUCT)


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


def test_every_module_is_used(product: list[Source]) -> None:
    """By the product, or named where programs are started; a test alone keeps nothing alive."""
    naming = {path: text for path, text in texts().items() if path.endswith(NAMING)}

    assert dead_modules(product, naming) == []


def test_no_file_names_one_machine_or_its_package_registry() -> None:
    found = [one for path, text in texts().items() for one in foreign(path, text)]

    assert found == []


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
        ("executor_service/routing.py", "", "names_that_are_no_nouns"),
        ("tracker_service/asking/a.py", "", "names_that_are_no_nouns"),
        ("steplog/workplace.py", "", "names_that_are_no_nouns"),
        ("contracts/a.py", "import aiokafka", "wrong_doors"),
        ("tracker_service/worker/app.py", "def f():\n    from asyncpg import x", "wrong_doors"),
        ("steplog/cli/commands/run.py", "import aiokafka", "wrong_doors"),
        ("tests/a.py", "from unittest import mock", "wrong_doors"),
        ("steplog/admin/topics.py", "aiokafka.AIOKafkaProducer(acks=1)", "clients_made_elsewhere"),
        (
            "tracker_service/worker/faust_transport.py",
            "AIOKafkaConsumer('t')",
            "clients_made_elsewhere",
        ),
        ("tests/a.py", "import pytest\n@pytest.mark.skip\ndef f(): ...", "skipped_tests"),
        ("tests/a.py", "from pytest import xfail", "skipped_tests"),
        ("contracts/a.py", "from msgspec import json", "wrong_doors"),
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
        ("steplog/admin/topics.py", "aiokafka.admin"),
    ],
)
def test_a_door_lets_its_own_through(path: str, module: str) -> None:
    rule = next(rule for rule in RULES if rule.__name__ == "wrong_doors")

    assert rule(Source(path, f"import {module}")) == []


@pytest.mark.parametrize(
    "line",
    [
        "steplog @ file:" + "///srv/steplog",
        "cd /wo" + "rk/here",
        "--index" + "-url x",
        "https://py" + "pi.example/simple/x",
    ],
)
def test_a_planted_address_is_found(line: str) -> None:
    assert foreign("a.txt", line)


def test_a_module_nobody_uses_is_found() -> None:
    used, dead = Source("steplog/used.py", ""), Source("steplog/dead.py", "import steplog.dead")
    using = Source("steplog/__init__.py", "from steplog import used")

    found = dead_modules([used, dead, using], {"Makefile": "python -m steplog.deadly"})

    assert found == ["steplog/dead.py is used by nobody"]
    assert dead_modules([dead], {"Makefile": "python -m steplog.dead"}) == []
