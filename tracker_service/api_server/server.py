"""The API as a process."""

import socket

import uvicorn
import uvloop
from fastapi import FastAPI

from tracker_service.access.policy import policy_of
from tracker_service.api_server.app import make_app
from tracker_service.api_server.connections import server_config
from tracker_service.bootstrap import make_commands, make_events_log, make_read_model
from tracker_service.http_api.context import Protection
from tracker_service.payload_reader import make_reader
from tracker_service.projections.errors import TrackerError
from tracker_service.settings import Settings

BACKLOG_CONNECTIONS = 512


class PortTaken(TrackerError):
    """The API's address can't be listened on."""


class ApiServer(uvicorn.Server):
    """Ends open streams before it waits for requests to end: a stream ends by itself never."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, streams first."""
        app = self.config.app
        assert isinstance(app, FastAPI)
        await app.state.parts.feed.close()
        await super().shutdown(sockets)


def serve(settings: Settings) -> None:
    """Answer until told to stop.

    Raises:
        AccessRefused: it would let anybody in from beyond this machine.
        PortTaken: another process has the port.
        StoreRefused: the read model is not there or does not fit this code.
    """
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    protection = protection_of(settings)
    listening = _listen(settings.api_host, settings.api_port)
    model = make_read_model(settings)
    await model.open()
    commands = make_commands(settings)
    config = server_config(
        make_app(
            model,
            settings.events_topic,
            make_events_log(settings),
            make_reader(settings.payload_store),
            commands,
            protection,
        ),
        max_streams=settings.api_max_streams,
        trusted_proxies=settings.api_trusted_proxies,
    )
    try:
        await ApiServer(config).serve([listening])
    finally:
        await commands.close()


def protection_of(settings: Settings) -> Protection:
    """Return how settings protect an API; raises `AccessRefused` where that is not enough."""
    return Protection(policy_of(settings), settings.api_rate_per_s, settings.api_max_streams)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket to serve on; raises `OSError` where the address can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=BACKLOG_CONNECTIONS)
    # Else each answer waits 40 ms for the client's acknowledgement: asyncio sets this only on
    # sockets that name their protocol, and those accepted here take it over from this one.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        raise PortTaken(
            f"The API can't listen on {host}:{port}: {error.strerror}. Set STEPLOG_API_PORT to a "
            "free port."
        ) from error
