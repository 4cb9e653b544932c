"""What the house asks of every source file, as functions that return what breaks it."""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("steplog_contracts", "steplog_kafka"),
    *("executor_service", "tracker_service", "steplog"),
)
# Where packages lie: in the root, but for the one whose folder has what is published beside it.
PACKAGE_ROOTS = (ROOT, ROOT / "contracts")
PRODUCT = ("contracts", "steplog_kafka", "executor_service", "tracker_service", "steplog")
MAX_FILE_LINES, MAX_TEST_FILE_LINES = 300, 400
MAX_MEDIAN_FILE_LINES, MAX_MEDIAN_FUNCTION_LINES = 110, 9
MAX_FUNCTION_LINES = 60
MAX_LINE_CHARS = 100
BANNED_NAMES = frozenset({"utils", "common", "helpers", "manager", "base"})
# Modules are named by nouns; these in -ing are the field's nouns, or what users type.
NAMES_IN_ING: dict[str, str] = {
    "blocking": "users import `steplog.blocking`; it is what such a client is called",
    "greeting": "an example's step that greets",
    "masking": "the field's word for hiding values",
    "partitioning": "Kafka's word for how keys become partitions",
    "pruning": "removing old rows; `prune` is the command",
    "publishing": "making what is published of the contracts; pages name the command",
    "testing": "what packages call the part that is for their users' tests",
    "upcasting": "the field's word for reading events of older versions",
}
# Metaphors and words of several meanings: the field has a noun for what each was used for.
NO_NAMES = frozenset(
    {
        *("alarms", "arrivals", "asking", "beginning", "bounds", "course", "desk", "door", "given"),
        *("glimpse", "lens", "lookups", "memory", "moving", "order", "outbox", "parking", "parts"),
        *("room", "seen", "tallies", "telling", "together", "workplace"),
    }
)
# Who may import what; nobody else does. Paths are patterns from the root.
DOORS: dict[str, tuple[str, ...]] = {
    "aiokafka": (
        "steplog_kafka/*",
        "executor_service/adapters/*",
        "tracker_service/worker/faust_transport.py",
        "tracker_service/worker/membership.py",
        "tracker_service/log/batch_decoder.py",
        "tracker_service/log/kafka_consumer.py",
        "tracker_service/rebuild/log_reader.py",
        "tracker_service/log/kafka_command_sink.py",
        "tracker_service/log/kafka_events_log.py",
        "steplog/client/kafka_sender.py",
        "steplog/admin/topics.py",
        "steplog/admin/access_rights.py",
        "steplog/archive/kafka_target.py",
        "steplog/local/*",
    ),
    "faust": (
        "tracker_service/worker/app.py",
        "tracker_service/worker/faust_transport.py",
        "tracker_service/worker/membership.py",
    ),
    "mode": ("tracker_service/worker/app.py", "tracker_service/worker/faust_transport.py"),
    "asyncpg": ("*/store/*", "executor_service/steps/database.py"),
    "aiosqlite": ("*/store/*", "executor_service/steps/database.py"),
    "sqlite3": (
        "*/store/*",
        "executor_service/steps/database.py",
        # Embedded mode: the log itself lies in a SQLite file.
        "executor_service/adapters/embedded/*",
    ),
    "msgspec": ("tracker_service/*",),
    "mypy_extensions": ("tracker_service/compiled/*",),
    "librt": ("tracker_service/compiled/*",),
    "mypyc": ("setup.py",),
    "fsspec": ("executor_service/adapters/*", "tracker_service/payload_reader.py"),
    "testcontainers": ("steplog/local/docker.py",),
    "unittest.mock": (),
}
# What opens a connection to Kafka.
KAFKA_CLIENTS = frozenset(
    {"AIOKafkaProducer", "AIOKafkaConsumer", "AIOKafkaAdminClient", "AIOKafkaClient", "create_conn"}
)
# What linters read at the end of a line is no part of what people read.
_FOR_THE_LINTER = re.compile(r"\s+# (noqa|type: ignore).*$")
_PUT_OFF = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b|#\s*XX" + "X")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: str  # From the root, with slashes.
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Return the parsed file."""
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Return every node of the parsed file, which each rule looks through."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def lines(self) -> list[str]:
        """Return the lines."""
        return self.text.splitlines()

    @property
    def is_test(self) -> bool:
        """Whether it lies in the tests."""
        return self.path.startswith("tests/")


def sources(*folders: str) -> list[Source]:
    """Return the Python files below the folders, in order."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [_read(path) for path in paths]


@cache
def _read(path: Path) -> Source:
    return Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def functions(source: Source) -> Iterator[tuple[str, int]]:
    """Yield each function's name and its lines: signature, docstring and body."""
    for node in source.nodes:
        if isinstance(node, Function):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def imports(source: Source) -> Iterator[str]:
    """Yield every module a file imports, wherever in the file."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def too_long_files(source: Source) -> list[str]:
    """Return the file if it is longer than the limit."""
    limit = MAX_TEST_FILE_LINES if source.is_test else MAX_FILE_LINES
    count = len(source.lines)
    return [f"{source.path} has {count} lines; split it"] if count > limit else []


def too_long_functions(source: Source) -> list[str]:
    """Return functions over the limit."""
    return [
        f"{source.path}: {name} has {count} lines; split it"
        for name, count in functions(source)
        if count > MAX_FUNCTION_LINES
    ]


def too_long_lines(source: Source) -> list[str]:
    """Return lines over the limit."""
    return [
        f"{source.path}:{number} has {len(line)} characters"
        for number, line in enumerate(source.lines, 1)
        if len(_FOR_THE_LINTER.sub("", line)) > MAX_LINE_CHARS
    ]


def missing_docstrings(source: Source) -> list[str]:
    """Return the file if it does not say what it is for; an empty one has nothing to say."""
    return (
        []
        if not source.text.strip() or ast.get_docstring(source.tree)
        else [f"{source.path} has no docstring"]
    )


def bare_excepts(source: Source) -> list[str]:
    """Return handlers that catch even the order to stop."""
    return [
        f"{source.path}:{node.lineno} catches everything"
        for node in source.nodes
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]


def banned_names(source: Source) -> list[str]:
    """Return the file if its name says nothing."""
    parts = Path(source.path).with_suffix("").parts
    return [f"{source.path} is named {part}" for part in parts if part in BANNED_NAMES]


def names_that_are_no_nouns(source: Source) -> list[str]:
    """Return the file if it or its folder is named in -ing without a reason, or by a metaphor."""
    if source.is_test:
        return []
    parts = Path(source.path).with_suffix("").parts
    return [
        f"{source.path} is named {part}; take the field's noun"
        for part in parts
        if part in NO_NAMES or (part.endswith("ing") and part not in NAMES_IN_ING)
    ]


def wrong_doors(source: Source) -> list[str]:
    """Return imports that belong elsewhere; tests may import what they like but mocks."""
    found = []
    for module in imports(source):
        for guarded, doors in DOORS.items():
            is_guarded = module == guarded or module.startswith(f"{guarded}.")
            free = source.is_test and bool(doors)
            if is_guarded and not free and not any(fnmatch(source.path, door) for door in doors):
                found.append(f"{source.path} imports {module}")
    return sorted(set(found))


def clients_made_elsewhere(source: Source) -> list[str]:
    """Return clients of Kafka that are not made from the one class of settings; tests may."""
    if source.is_test or source.path.startswith("steplog_kafka/"):
        return []
    return [
        f"{source.path}:{node.lineno} makes a client; let steplog_kafka.clients make it"
        for node in source.nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in KAFKA_CLIENTS
    ]


def skipped_tests(source: Source) -> list[str]:
    """Return ways out: a test that can't run fails."""
    marks = ("skip", "skipif", "skipIf", "skipTest", "xfail", "importorskip")
    used = [
        f"{source.path}:{node.lineno} uses {node.attr}"
        for node in source.nodes
        if isinstance(node, ast.Attribute)
        and node.attr in marks
        and ast.unparse(node.value) in {"pytest", "pytest.mark", "mark", "unittest"}
    ]
    taken = [name for name in imports(source) if name.startswith("pytest.")]
    return used + [f"{source.path} imports {name}" for name in taken if name[7:] in marks]


def left_for_later(source: Source) -> list[str]:
    """Return marks of work that was put off."""
    return [
        f"{source.path}:{number} puts work off"
        for number, line in enumerate(source.lines, 1)
        if _PUT_OFF.search(line)
    ]


Rule = Callable[[Source], Sequence[str]]
RULES: tuple[Rule, ...] = (
    too_long_files,
    too_long_functions,
    too_long_lines,
    missing_docstrings,
    bare_excepts,
    banned_names,
    names_that_are_no_nouns,
    wrong_doors,
    clients_made_elsewhere,
    skipped_tests,
    left_for_later,
)
