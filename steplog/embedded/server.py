"""`steplog up --embedded`: everything in this process, the API on a port, until told to stop."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import uvicorn

from executor_service.adapters.embedded.forked_children import close_in_children
from executor_service.adapters.embedded.lock import Holder
from executor_service.process.loop_monitor import EventLoopMonitor
from executor_service.process.stop_deadline import STOP_TIMEOUT_S, StopDeadline
from steplog.embedded.node import Node, running_node
from steplog.embedded.process_setup import tune_process
from steplog.embedded.sender import EmbeddedSender
from steplog.embedded.settings import EmbeddedSettings
from steplog.embedded.storing_sink import StoringSink
from steplog.errors import ServerNotStarted
from steplog.local.interrupts import STOP_SIGNALS
from steplog_contracts.commands import MAX_COMMAND_WITH_VALUES_BYTES
from tracker_service.api_server.app import make_app
from tracker_service.api_server.connections import server_config
from tracker_service.api_server.server import ApiServer, listen, protection_of
from tracker_service.http_api.context import Protection
from tracker_service.payload_reader import make_reader
from tracker_service.settings import read_settings


class _Api(ApiServer):
    """The API beside the rest; signals are handled by whoever runs all of it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def serve(
    settings: EmbeddedSettings, host: str, port: int, tell_ready: Callable[[str], None]
) -> None:
    """Run on the file until a signal asks to stop; `tell_ready` gets the API's address.

    Raises:
        FileRefused: another process runs on the file, it can't be used, or can't be written any
            more.
        AccessRefused: the API would let anybody in from beyond this machine.
        ServerNotStarted: the API's port is taken.
    """
    stopping = _stop_signal()
    protection = replace(
        protection_of(read_settings().model_copy(update={"api_host": host})),
        max_command_bytes=MAX_COMMAND_WITH_VALUES_BYTES,
    )
    listening = _listen(host, port)
    close_in_children(listening.fileno())  # Or a step's child would keep the port.
    stop = StopDeadline(settings.shutdown_grace_s + STOP_TIMEOUT_S)
    async with running_node(settings) as node:
        url = f"http://{host}:{listening.getsockname()[1]}"
        async with _api(node, listening, protection):
            node.file.lock.tell(Holder(os.getpid(), url))
            tell_ready(url)
            tune_process()
            with EventLoopMonitor():
                await _until_stopped(node, stopping)
            stop.begin()
    stop.end()


@asynccontextmanager
async def _api(node: Node, listening: socket.socket, protection: Protection) -> AsyncIterator[None]:
    config = server_config(
        make_app(
            node.model,
            node.topic,
            node.history,
            make_reader(node.settings.payload_url),
            StoringSink(EmbeddedSender(node.file, node.payloads)),
            protection,
            lambda: node.trouble,
        ),
        max_streams=protection.max_streams,
        # The node closes the read model, after the executor has stopped.
        lifespan="off",
    )
    server = _Api(config)
    serving = asyncio.create_task(server.serve([listening]))
    try:
        await server.listening.wait()
        yield
    finally:
        server.should_exit = True
        await serving


async def _until_stopped(node: Node, stopping: asyncio.Event) -> None:
    """Return when asked to stop; raise what ended the executor or the tracker."""
    asked = asyncio.create_task(stopping.wait())
    ended = asyncio.create_task(node.ended())
    try:
        await asyncio.wait([asked, ended], return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            ended.result()
    finally:
        asked.cancel()
        ended.cancel()


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        raise ServerNotStarted(
            f"The API can't listen on {host}:{port} ({error.strerror}); choose another port with "
            "--api-port."
        ) from error


def _stop_signal() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    return stopping
