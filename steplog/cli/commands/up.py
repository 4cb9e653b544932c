"""`steplog up`: start the local stack and keep it running."""

import os
import subprocess
import sys
import time
from typing import Annotated

import typer

from steplog.cli.inputs.options import DataDir, DataFile, EmbeddedMode, settings_with
from steplog.cli.views.console import out
from steplog.cli.views.stack import StackDisplay, print_addresses, print_step_modules
from steplog.errors import BadInput, ServerNotStarted
from steplog.local.data_folder import DataFolder
from steplog.local.interrupts import interrupt_on_stop_signals
from steplog.local.stack_state import StackState
from steplog.settings import SteplogSettings
from steplog_contracts.private_files import open_private

DETACHED_TIMEOUT_S = 300.0
DETACHED_POLL_S = 0.1
SUPERVISOR_LOG = "supervisor"
STEP_MODULES_VARIABLE = "STEPLOG_STEP_MODULES"


def up(
    data_dir: DataDir = None,
    api_port: Annotated[
        int | None,
        typer.Option(help="Port of the API (default: 8400, or any free one).", min=1, max=65535),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once it runs; `steplog down` stops it.")
    ] = False,
    steps: Annotated[
        str | None,
        typer.Option(
            metavar="MODULES",
            help="Modules that step code may come from (or STEPLOG_STEP_MODULES): 'shop.*,tools'.",
        ),
    ] = None,
    embedded: EmbeddedMode = False,
    data: DataFile = None,
) -> None:
    """Start Kafka, PostgreSQL, the executor, the tracker and the API on this machine.

    Addresses given by KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL are used as they are; else servers
    run in containers if a Docker engine answers, else as child processes. Ctrl-C stops everything.

    With --embedded there is no broker and no database server: one process serves one SQLite file.

    $ steplog up --detach
    $ steplog up --steps 'shop.*'
    $ steplog up --embedded
    """
    if steps is not None:
        # The processes that are started here find it in the environment they inherit.
        os.environ[STEP_MODULES_VARIABLE] = steps
    settings = settings_with(data_dir, api_port, embedded=embedded, data=data)
    if settings.data_file is not None:
        from steplog.cli.connect.embedded_server import up_embedded  # noqa: PLC0415 - slow to import

        if detach:
            raise BadInput("--embedded runs in this process; leave --detach out.")
        up_embedded(settings.data_file, settings)
        return
    if detach:
        _run_detached(settings)
    else:
        _run_here(settings)


def _run_here(settings: SteplogSettings) -> None:
    from steplog.local.stack import Stack  # noqa: PLC0415 - embedded mode needs nothing of it

    interrupt_on_stop_signals()
    display = StackDisplay()

    def tell_ready(state: StackState) -> None:
        display.close()
        print_addresses(state, settings.data_dir, "Ctrl-C stops everything.")
        print_step_modules(settings.step_modules)

    try:
        Stack(settings, display.show).run(tell_ready)
    except KeyboardInterrupt:
        display.close()
        out.print("Stopped; nothing is left running.")
        if not display.was_ready:
            raise
    finally:
        display.close()


def _run_detached(settings: SteplogSettings) -> None:
    folder = DataFolder(settings.data_dir)
    folder.create()
    with folder.held():
        pass  # Refuse here, before a process is started to refuse.
    log = folder.log_of(SUPERVISOR_LOG)
    log.unlink(missing_ok=True)
    arguments = [f"--data-dir={folder.root}"]
    if settings.api_port is not None:
        arguments.append(f"--api-port={settings.api_port}")
    with open_private(log, append=True) as output:
        supervisor = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "steplog.cli.main", "up", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
    display = StackDisplay()
    try:
        state = _wait_ready(supervisor, folder, display)
    except KeyboardInterrupt:
        supervisor.terminate()
        raise
    finally:
        display.close()
    print_addresses(state, settings.data_dir, "`steplog down` stops everything.")
    print_step_modules(settings.step_modules)


def _wait_ready(
    supervisor: "subprocess.Popen[bytes]", folder: DataFolder, display: StackDisplay
) -> StackState:
    deadline = time.monotonic() + DETACHED_TIMEOUT_S
    while supervisor.poll() is None and time.monotonic() < deadline:
        state = folder.read_state()
        if state is not None and state.supervisor_pid == supervisor.pid:
            display.show(state)
            if state.ready:
                return state
        time.sleep(DETACHED_POLL_S)
    supervisor.terminate()
    said = folder.log_of(SUPERVISOR_LOG).read_text().strip().splitlines() or ["no reason given"]
    raise ServerNotStarted(said[-1].removeprefix("Error: "))
