"""What is installed is what was locked: each lock has hashes, and installers demand them."""

import re
import subprocess
import sys
import tomllib

import pytest

from tests.house.deployment import dockerfile
from tests.house.rules import ROOT

LOCKS = ("requirements.lock", "deploy/image.lock", "deploy/build.lock")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_names_versions_and_hashes_alone(lock: str) -> None:
    """An address or a path in it would bind the project to one machine."""
    lines = (ROOT / lock).read_text().splitlines()
    entries = [line for line in lines if line and not line.lstrip().startswith("#")]

    strange = [
        line
        for line in entries
        if not re.match(r"^([\w.-]+==[\w.+!]+( ; .*)?|    --hash=sha256:[0-9a-f]{64})( \\)?$", line)
    ]
    assert entries
    assert strange == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_has_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    pinned = re.findall(r"^[\w.-]+==.*$", text, re.MULTILINE)

    assert pinned
    assert [line for line in pinned if "--hash=sha256:" not in line] == []


def test_the_image_holds_the_versions_that_tests_ran_with() -> None:
    tested = versions("requirements.lock")
    for lock in LOCKS:
        found = versions(lock)

        assert {name: found[name] for name in found.keys() & tested.keys()} == {
            name: tested[name] for name in found.keys() & tested.keys()
        }
    assert versions("deploy/image.lock").keys() <= tested.keys()


def test_whatever_installs_from_a_lock_demands_its_hashes() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    installs = [
        line
        for text in (dockerfile(), makefile, (ROOT / ".ci/run").read_text())
        for line in re.findall(r"\S*pip install[^&\n]*", text)
    ]
    of_a_lock = [line for line in installs if ".lock" in line]

    assert len(of_a_lock) == 4
    assert [line for line in of_a_lock if "--require-hashes" not in line] == []
    assert [line for line in installs if "--constraint" in line] == []


def test_the_image_build_takes_nothing_that_is_not_locked() -> None:
    """Neither what builds the package nor an interpreted tracker gets in unnoticed."""
    building = dockerfile().rpartition("\nFROM ")[0]
    commands = re.findall(r"pip (?:install|wheel)[^&\n]*", building)

    assert all("--require-hashes" in one or "--no-deps" in one for one in commands)
    assert all("--no-build-isolation" in one for one in commands if one.startswith("pip wheel"))
    assert "ENV STEPLOG_INTERPRETED=0" in building


def test_a_build_that_must_compile_ends_where_it_can_not() -> None:
    program = "import runpy, sys; sys.modules['mypyc'] = None; runpy.run_path('setup.py')"
    run = {}
    for demanded in ("0", ""):
        run[demanded] = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, "--name"],
            cwd=ROOT, env={"STEPLOG_INTERPRETED": demanded, "PATH": ""}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    assert run["0"].returncode != 0
    assert "pip install 'mypy[mypyc]'" in run["0"].stderr
    assert run[""].returncode == 0, run[""].stderr


def versions(lock: str) -> dict[str, str]:
    """Return the version of each package in a lock."""
    return dict(re.findall(r"^([\w.-]+)==([\w.+!]+)", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_lock_pins_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    names = {re.split(r"[^\w.-]", one)[0].lower().replace("_", "-") for one in wanted}
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

    assert names - {project["name"]} - set(locked) == set()
