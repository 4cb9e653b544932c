"""A broker uses what was built to start it faster, if it is there, ours and of the same files."""

from pathlib import Path

import pytest

from steplog.local.kafka import META, KafkaServer
from steplog.local.kafka_start_cache import CHECKPOINT, StartCache, start_cache


def built(folder: Path) -> StartCache:
    """Return a cache with files that no JVM has seen."""
    cache = KafkaServer(folder / "another", cache_folder=folder).start_cache
    for file, text in ((cache.classes, "classes"), (cache.checkpoint, "features")):
        file.touch(mode=0o600)
        file.write_text(text)
    return cache


def test_a_new_storage_is_formatted_with_what_was_kept(tmp_path: Path) -> None:
    cache = built(tmp_path)
    server = KafkaServer(tmp_path / "kafka", cache_folder=tmp_path)

    argv = server.program().argv
    meta = (server.log_dir / META).read_text()

    assert f"-XX:AOTCache={cache.classes}" in argv
    assert (server.log_dir / CHECKPOINT).read_text() == "features"
    assert {line.partition("=")[0] for line in meta.splitlines()} == {
        "version",
        "cluster.id",
        "node.id",
        "directory.id",
    }


def test_each_storage_has_ids_of_its_own(tmp_path: Path) -> None:
    built(tmp_path)
    servers = [KafkaServer(tmp_path / name, cache_folder=tmp_path) for name in ("one", "two")]
    for server in servers:
        server.program()

    assert len({(server.log_dir / META).read_text() for server in servers}) == 2


def test_a_storage_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    built(tmp_path)
    for _ in range(2):
        server = KafkaServer(tmp_path / "kafka", cache_folder=tmp_path)
        server.program()
        (server.log_dir / CHECKPOINT).write_text("its own")

    assert (server.log_dir / CHECKPOINT).read_text() == "its own"


def test_what_others_may_have_written_is_not_run(tmp_path: Path) -> None:
    cache = built(tmp_path)
    cache.classes.chmod(0o666)

    assert not cache.is_built


@pytest.mark.parametrize("changed", ["jar", "image", "options"])
def test_other_files_and_options_have_another_cache(tmp_path: Path, changed: str) -> None:
    java, jar, options = tmp_path / "jre" / "bin" / "java", tmp_path / "kafka.jar", ["-Xmx1g"]
    image = tmp_path / "jre" / "lib" / "modules"
    image.parent.mkdir(parents=True)
    for file in (image, jar):
        file.write_text("as it was")
    before = start_cache(java, [jar], options, tmp_path)

    match changed:
        case "jar":
            jar.write_text("another text")
        case "image":
            image.write_text("another text")
        case _:
            options = ["-Xmx2g"]

    assert start_cache(java, [jar], options, tmp_path).classes != before.classes
