"""A container's health check, of its own process: `python -m steplog.health [executor|worker|api]`.

Without an argument the container's first process says which of the three it is. A check comes
every few seconds for as long as a container lives, so it is one Python start with nothing loaded
but what Python itself has loaded already, and a socket where one is asked.

Exit codes: 0 well, 1 not well (why is on stderr), 64 wrong usage.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence

REQUEST_TIMEOUT_S = 4.0
MAX_ANSWER_BYTES = 4_096
FIRST_PROCESS = "/proc/1/cmdline"
EXIT_WELL, EXIT_UNWELL, EXIT_USAGE = 0, 1, 64
# The executor touches its file every commit interval while it takes commands.
READY_AGE_S = 15.0
# Where each process answers `/readyz`: the port's variable and what it is without it. A worker has
# no port of its own accord.
_PORTS = {
    "api": ("STEPLOG_API_PORT", "8400"),
    "worker": ("STEPLOG_TRACKER_METRICS_PORT", "0"),
}
_HOSTS = {"api": "STEPLOG_API_HOST", "worker": "STEPLOG_TRACKER_METRICS_HOST"}
# A process that listens on every address is asked on this one.
_LOOPBACK = "127.0.0.1"
_EVERY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on


def main(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Probe one process and return the exit code; says why on stderr if it is not well."""
    process = arguments[0] if arguments else _first_process()
    if process == "executor":
        trouble = executor_trouble(environment.get("STEPLOG_READY_FILE", ""))
    elif process in _PORTS:
        trouble = _answer_trouble(process, environment)
    else:
        sys.stderr.write(f"There is no process {process!r}; it is executor, worker or api.\n")
        return EXIT_USAGE
    if trouble is None:
        return EXIT_WELL
    sys.stderr.write(f"{trouble}\n")
    return EXIT_UNWELL


def process_of(command_line: bytes) -> str:
    """Return which process a command line runs; arguments are separated by NUL as in /proc."""
    arguments = command_line.decode(errors="replace").split("\0")
    if "executor_service" in arguments:
        return "executor"
    return next((name for name in ("worker", "api") if name in arguments), "unknown")


def executor_trouble(ready_file: str) -> str | None:
    """Return why the executor that touches this file is not well, None if it is."""
    if not ready_file:
        return "STEPLOG_READY_FILE is not set; set it for the executor and for its health check."
    try:
        age_s = time.time() - os.stat(ready_file).st_mtime
    except OSError:
        return "The executor has not taken any commands yet; its log says why."
    # A file from the future is one from before the clock was set back: the next touch mends it.
    if age_s < READY_AGE_S:
        return None
    return f"The executor has taken no commands for {age_s:.0f} s; its log says why."


def _first_process() -> str:
    with open(FIRST_PROCESS, "rb") as file:
        return process_of(file.read())


def _answer_trouble(process: str, environment: Mapping[str, str]) -> str | None:
    variable, default = _PORTS[process]
    port = environment.get(variable, default)
    if port in ("", "0"):
        return f"The {process} answers on no port; set {variable} for it and for its health check."
    host = environment.get(_HOSTS[process], _LOOPBACK)
    host = _LOOPBACK if host in _EVERY_ADDRESS else host
    try:
        status, said = ask(host, int(port))
    except (OSError, ValueError) as error:
        return f"The {process} does not answer at {host}:{port}: {error}."
    if status == 200:
        return None
    return f"The {process} is not ready ({status}): {said}"


def ask(host: str, port: int) -> tuple[int, str]:
    """Return the status and the body of `/readyz`; raises `OSError` or `ValueError`."""
    import socket  # noqa: PLC0415 - the executor's check does without

    request = f"GET /readyz HTTP/1.0\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    deadline_s = time.monotonic() + REQUEST_TIMEOUT_S
    answer = b""
    with socket.create_connection((host, port), REQUEST_TIMEOUT_S) as connection:
        connection.sendall(request.encode())
        while len(answer) < MAX_ANSWER_BYTES:
            connection.settimeout(max(0.01, deadline_s - time.monotonic()))
            received = connection.recv(MAX_ANSWER_BYTES)
            if not received:
                break
            answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    parts = head.split(maxsplit=2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/"):
        raise ValueError("no answer to a request")
    return int(parts[1]), body.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
