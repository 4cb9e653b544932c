"""Build the files that make local brokers start faster: `python -m` this module, once.

It takes a quarter of a minute; with the files there it ends at once.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from steplog.errors import ServerNotStarted
from steplog.local.child import Child
from steplog.local.kafka import KafkaServer
from steplog.local.kafka_start_cache import CHECKPOINT, FOLDER, StartCache
from steplog.local.server import await_ready
from steplog_contracts.errors import SteplogError
from steplog_contracts.private_files import private_folder

# The JVM that loaded the classes starts another at its end, which links and writes them.
BUILD_TIMEOUT_S = 300.0


def build(folder: Path = FOLDER) -> StartCache:
    """Run a broker for a moment and keep what its start loaded; returns the files.

    Raises:
        ServerNotStarted: the broker did not start, or its JVM wrote no archive.
    """
    private_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        server = KafkaServer(Path(work) / "kafka", cache_folder=folder)
        found = server.start_cache
        if not found.is_built:
            classes = Path(work) / "classes"
            _train(server, classes)
            (server.log_dir / CHECKPOINT).rename(found.checkpoint)
            classes.rename(found.classes)
    return found


def _train(server: KafkaServer, classes: Path) -> None:
    program = server.program()
    java, *arguments = program.argv
    argv = (java, f"-XX:AOTCacheOutput={classes}", *arguments)
    broker = Child.start(replace(program, argv=argv, stop_timeout_s=BUILD_TIMEOUT_S))
    try:
        await_ready(server.name, broker, server.is_ready)
    finally:
        broker.stop()
    if not classes.is_file():
        raise ServerNotStarted(f"Java wrote no archive of Kafka's classes: {broker.last_words}")


def main() -> int:
    """Build what is missing."""
    try:
        build()
    except SteplogError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
