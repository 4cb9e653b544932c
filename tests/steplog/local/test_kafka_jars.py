"""A download that was cut short is noticed and made again."""

import zipfile
from pathlib import Path

from steplog.local.kafka_jars import _drop_cut_short, kafka_jars


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
