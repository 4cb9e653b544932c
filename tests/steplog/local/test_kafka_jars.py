"""A download that was cut short is made again, and one that was altered is not run."""

import tomllib
import zipfile
from pathlib import Path

import pytest

from steplog.errors import ServerNotStarted
from steplog.local import kafka_jars as jars_module
from steplog.local.kafka_jars import (
    DIGESTS_FILE,
    KAFKA_VERSION,
    _drop_cut_short,
    check,
    digest_of,
    kafka_jars,
    recorded_digests,
)
from tests.house.rules import ROOT


def _jar(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b" * 1000)
    return path


def test_a_jar_cut_short_is_removed_everywhere(tmp_path: Path) -> None:
    """The resolver takes a file that exists for a whole one."""
    whole, broken = _jar(tmp_path / "env/whole.jar"), _jar(tmp_path / "env/broken.jar")
    cached = _jar(tmp_path / "repository/org/broken.jar")
    for jar in (broken, cached):
        jar.write_bytes(jar.read_bytes()[:50])

    dropped = _drop_cut_short((whole, broken), tmp_path / "repository")

    assert dropped
    assert [path.exists() for path in (whole, broken, cached)] == [True, False, False]


def test_the_broker_and_its_own_client_library_are_among_the_jars() -> None:
    names = {jar.name for jar in kafka_jars()}

    assert {"kafka_2.13-4.1.1.jar", "kafka-clients-4.1.1.jar"} <= names


def test_every_jar_that_is_run_is_the_recorded_one() -> None:
    recorded = recorded_digests()
    found = {jar.name: digest_of(jar) for jar in kafka_jars()}

    assert found == recorded
    assert f"kafka_2.13-{KAFKA_VERSION}.jar" in recorded


@pytest.mark.parametrize("change", [b"", b"\0", b"PK"])
def test_a_jar_that_was_changed_is_not_run(tmp_path: Path, change: bytes) -> None:
    """A jar with one more byte at its end is still one to Java."""
    jar = _jar(tmp_path / "kafka.jar")
    digests = {jar.name: digest_of(jar)}
    check((jar,), digests)
    jar.write_bytes(jar.read_bytes() + change if change else b"")

    with pytest.raises(ServerNotStarted, match="its sha256 differs") as raised:
        check((jar,), digests)
    assert str(jar) in str(raised.value)


def test_a_jar_that_nobody_recorded_is_not_run(tmp_path: Path) -> None:
    jar = _jar(tmp_path / "new-1.0.jar")

    with pytest.raises(ServerNotStarted, match=r"new-1.0.jar, which is none of the jars"):
        check((jar,), {})


def test_a_start_compares_what_was_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was wrong with a download, the next start does not run it either."""
    altered = _jar(tmp_path / f"kafka_2.13-{KAFKA_VERSION}.jar")
    monkeypatch.setattr(jars_module, "_fetched", lambda _on_bytes: (altered,))

    for _start in range(2):
        with pytest.raises(ServerNotStarted, match="is not run"):
            kafka_jars()


def test_the_recorded_digests_are_installed_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    globs = project["tool"]["setuptools"]["package-data"]["steplog"]
    package = ROOT / "steplog"

    assert DIGESTS_FILE in {file for glob in globs for file in package.glob(glob)}
