"""What a broker or a database is to the stack, however it runs, and how one is started."""

import time
from collections.abc import Callable
from typing import Protocol

from steplog.errors import ServerNotStarted

READY_TIMEOUT_S = 90.0
READY_INTERVAL_S = 0.1


class Running(Protocol):
    """Something started that can end by itself and can be stopped."""

    @property
    def pid(self) -> int | None:
        """Return the process id, or None where it is no process of this machine."""

    @property
    def exit_code(self) -> int | None:
        """Return None while it runs."""

    @property
    def log(self) -> str:
        """Return where its output is, for people."""

    @property
    def last_words(self) -> str:
        """Return the last line it wrote, which says why if it ended by itself; may be empty."""

    def ask_to_stop(self) -> None:
        """Begin to stop and return at once."""

    def stop(self) -> None:
        """Return once it has ended; safe to call again."""


class Server(Protocol):
    """A broker or a database: given by its address, in a container, or a child of ours."""

    @property
    def name(self) -> str:
        """Return what people call it."""

    @property
    def kind(self) -> str:
        """Return `given`, `docker` or `local`."""

    @property
    def address(self) -> str:
        """Return where clients reach it, in the form their settings take; known once started."""

    def start(self) -> Running:
        """Start it and return at once."""

    def is_ready(self) -> bool:
        """Whether it answers a real request."""


def start_server(server: Server, timeout_s: float = READY_TIMEOUT_S) -> Running:
    """Start a server and return once it answers.

    Raises:
        ServerNotStarted: it ended, or did not answer in time; it is not left running.
    """
    running = server.start()
    try:
        await_ready(server.name, running, server.is_ready, timeout_s)
    except BaseException:
        running.stop()
        raise
    return running


def await_ready(
    name: str, running: Running, is_ready: Callable[[], bool], timeout_s: float = READY_TIMEOUT_S
) -> None:
    """Return once the check holds; raise `ServerNotStarted` if it ends first or takes too long."""
    deadline = time.monotonic() + timeout_s
    while not is_ready():
        if running.exit_code is not None:
            raise ServerNotStarted(
                f"{name} ended before it was ready: {running.last_words or 'it said nothing'} "
                f"(exit code {running.exit_code}, log {running.log})."
            )
        if time.monotonic() > deadline:
            raise ServerNotStarted(
                f"{name} was not ready within {timeout_s:.0f} s; its log is {running.log}."
            )
        time.sleep(READY_INTERVAL_S)
