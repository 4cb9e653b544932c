"""`steplog up --embedded`: the whole of steplog in this process."""

from pathlib import Path

import uvloop

from executor_service.process.process_end import run_to_end
from steplog.cli.connect.embedded_process import prepare
from steplog.cli.views.console import out
from steplog.cli.views.stack import print_step_modules
from steplog.embedded.server import serve
from steplog.embedded.settings import settings_of_environment
from steplog.local.ports import is_free
from steplog.settings import DEFAULT_API_PORT, SteplogSettings


def up_embedded(file: Path, settings: SteplogSettings) -> None:
    """Serve the file until Ctrl-C or SIGTERM."""
    prepare(file)

    def tell_ready(url: str) -> None:
        out.print(
            f"steplog runs on [bold]{file}[/]; API at [bold]{url}[/]. Ctrl-C stops it.",
            soft_wrap=True,
        )
        print_step_modules(settings.step_modules)

    served = serve(settings_of_environment(file), settings.api_host, _port(settings), tell_ready)
    run_to_end(served, uvloop.new_event_loop)
    out.print("Stopped; what was running goes on at the next start.")


def _port(settings: SteplogSettings) -> int:
    """Return the port that was asked for, else the default one if it is free, else any."""
    if settings.api_port is not None:
        return settings.api_port
    return DEFAULT_API_PORT if is_free(DEFAULT_API_PORT) else 0
