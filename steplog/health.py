"""`python -m steplog.health [executor | worker | api]`: exit 0 while that process does its work.

For container health checks. Without an argument the container's first process says what it is.
"""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from steplog.settings import DEFAULT_API_PORT

REQUEST_TIMEOUT_S = 4.0
FIRST_PROCESS = Path("/proc/1/cmdline")
EXIT_WELL, EXIT_UNWELL, EXIT_USAGE = 0, 1, 64
_WORKER_AWAY = "away"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Probe one process and return the exit code; says why on stderr if it is not well."""
    process = arguments[0] if arguments else process_of(FIRST_PROCESS.read_bytes())
    match process:
        case "executor":
            command = [sys.executable, "-m", "executor_service", "ready"]
            return subprocess.run(command, check=False, env=dict(environment)).returncode  # noqa: S603
        case "api" | "worker":
            return _ask_api(process, api_url(environment))
    sys.stderr.write(f"There is no process {process!r}; it is executor, worker or api.\n")
    return EXIT_USAGE


def process_of(command_line: bytes) -> str:
    """Return which process a command line runs; arguments are separated by NUL as in /proc."""
    arguments = command_line.decode(errors="replace").split("\0")
    if "executor_service" in arguments:
        return "executor"
    return next((name for name in ("worker", "api") if name in arguments), "unknown")


def api_url(environment: Mapping[str, str]) -> str:
    """Return where the API answers: as told, or on this machine."""
    port = environment.get("STEPLOG_API_PORT", DEFAULT_API_PORT)
    return environment.get("STEPLOG_API_URL", f"http://127.0.0.1:{port}")


def _ask_api(process: str, url: str) -> int:
    try:
        with _DIRECT.open(f"{url}/readyz", timeout=REQUEST_TIMEOUT_S) as response:
            tracker = json.loads(response.read())["tracker"]
    except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"The API does not answer at {url}: {error}.\n")
        return EXIT_UNWELL
    # The read model knows when a worker last looked at the log.
    if process == "worker" and tracker == _WORKER_AWAY:
        sys.stderr.write("No worker has looked at the log in the last seconds.\n")
        return EXIT_UNWELL
    return EXIT_WELL


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
