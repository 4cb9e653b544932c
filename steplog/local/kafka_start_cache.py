"""What makes a local broker start in half the time, built once in each virtual environment.

Two files: Kafka's classes as the JVM has them once they are loaded and linked (JEP 483), and the
records that Kafka's own tool formats an empty storage with. A broker starts without them too.
`kafka_start_cache_build` builds them.
"""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steplog_contracts.private_files import is_ours

FOLDER = Path(sys.prefix) / "steplog-cache"
# Kafka's name of the file in a storage that says what the first metadata are.
CHECKPOINT = "bootstrap.checkpoint"


@dataclass(frozen=True)
class StartCache:
    """The files for one JVM with its options and one set of jars; others give other names."""

    classes: Path
    checkpoint: Path

    @property
    def is_built(self) -> bool:
        """Whether both files are there and nobody else could write them."""
        return is_ours(self.classes) and is_ours(self.checkpoint)


def start_cache(
    java: Path, jars: Sequence[Path], options: Sequence[str], folder: Path = FOLDER
) -> StartCache:
    """Return where the files are, or would be."""
    # The JVM takes no archive of files that changed since; it would warn in the broker's log.
    image = java.parent.parent / "lib" / "modules"
    key = hashlib.sha256(repr(tuple(options)).encode())
    for file in (image, *jars):
        found = file.stat()
        key.update(f"{file} {found.st_size} {found.st_mtime_ns}\n".encode())
    name = f"kafka-{key.hexdigest()[:16]}"
    return StartCache(folder / f"{name}.aot", folder / f"{name}.checkpoint")
