"""The command line as a person uses it: a process with arguments, output and an exit code."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
COMMAND_TIMEOUT_S = 120.0
# What a developer may have set for other work, and what would send tests to other servers.
_NOT_INHERITED = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    exit_code: int
    out: str
    err: str


def steplog(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> Ended:
    """Run `steplog` with the arguments."""
    done = subprocess.run(
        [sys.executable, "-m", "steplog.cli.main", *arguments],
        env=clean_environment() | dict(env or {}),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without anything that is about steplog."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in _NOT_INHERITED and not name.startswith("STEPLOG_")
    }
    return inherited | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def is_one_sentence(ended: Ended) -> bool:
    """Whether a refusal is what people are promised: one line, no traceback, not exit code 0."""
    lines = ended.err.strip().splitlines()
    return ended.exit_code != 0 and len(lines) == 1 and lines[0].startswith("Error: ")
