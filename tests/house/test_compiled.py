"""What runs is what is written: no library here was compiled from other sources than these."""

import hashlib
import os
from pathlib import Path

import pytest

from tests.house.rules import ROOT
from tracker_service.compiled.header_parser import COMPILED

FOLDER = ROOT / "tracker_service" / "compiled"
REMEDY = "run `make compiled`"


def digest_line(path: Path) -> str:
    """Return what `setup.py` notes of a source it compiles."""
    return f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}"


def stale(folder: Path) -> list[str]:
    """Return sources whose compiled code is of another text; none where nothing is compiled."""
    if not [*folder.glob("*.so"), *folder.glob("*.pyd")]:
        return []
    noted = folder / "compiled_from.sha256"
    lines = noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []
    sources = {path.name: digest_line(path) for path in folder.glob("*.py")}
    sources.pop("__init__.py", None)
    changed = [name for name, line in sorted(sources.items()) if line not in lines]
    gone = [name for line in lines if (name := line.split()[1]) not in sources]
    return [f"{name} is not what was compiled; {REMEDY}" for name in changed + gone]


@pytest.fixture
def compiled_folder(tmp_path: Path) -> Path:
    """Return a folder with one source, compiled as it stands."""
    source = tmp_path / "loop.py"
    source.write_text("x = 1\n")
    (tmp_path / "loop.cpython-311.so").write_bytes(b"")
    (tmp_path / "compiled_from.sha256").write_text(f"{digest_line(source)}\n")
    return tmp_path


def test_what_is_compiled_here_is_what_is_written() -> None:
    assert stale(FOLDER) == []


def test_ci_runs_the_compiled_modules() -> None:
    """Else everything passes, slowly, and nobody hears that compiling has failed."""
    in_ci = os.environ.get("CI") == "true"

    assert COMPILED or not in_ci, f"interpreted; read .venv/install.log, then {REMEDY}"


def test_a_library_of_its_own_source_is_fresh(compiled_folder: Path) -> None:
    assert stale(compiled_folder) == []


def test_an_edited_source_is_found(compiled_folder: Path) -> None:
    (compiled_folder / "loop.py").write_text("x = 2\n")

    assert stale(compiled_folder) == [f"loop.py is not what was compiled; {REMEDY}"]


@pytest.mark.parametrize("name", ["loop.py", "compiled_from.sha256"])
def test_a_library_whose_source_or_note_is_gone_is_found(compiled_folder: Path, name: str) -> None:
    (compiled_folder / name).unlink()

    assert stale(compiled_folder) == [f"loop.py is not what was compiled; {REMEDY}"]


def test_an_interpreted_tree_has_nothing_stale(compiled_folder: Path) -> None:
    (compiled_folder / "loop.cpython-311.so").unlink()
    (compiled_folder / "loop.py").write_text("x = 2\n")

    assert stale(compiled_folder) == []
