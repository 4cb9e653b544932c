"""Commands that a person is told to type next, with the options that say which steplog is meant.

A command run with `--embedded` or `--data-dir` is followed by one on the same place; without these
options the next one would ask another steplog, or none.
"""

import shlex
from pathlib import Path

# One process runs one command, and `settings_with` reads its options before anything is printed.
_options: list[str] = []


def remember_place(data_dir: Path | None, *, embedded: bool, data: Path | None) -> None:
    """Keep the options of the command that runs, for those it names."""
    _options.clear()
    if embedded or data is not None:
        _options.append("--embedded")
    if data is not None:
        _options.extend(["--data", str(data)])
    if data_dir is not None:
        _options.extend(["--data-dir", str(data_dir)])


def command_line(*words: str) -> str:
    """Return `steplog WORDS`, with the options of the command that runs."""
    return shlex.join(["steplog", *words, *_options])
