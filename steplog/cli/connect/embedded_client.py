"""`steplog run --embedded`: a client whose executions run in this very process."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.embedded.lock import EmbeddedLock
from executor_service.definitions.asked_modules import AskedModules
from executor_service.definitions.catalogue import DefinitionCatalogue
from executor_service.service_errors import UnknownPipeline
from steplog.cli.connect.embedded_process import prepare
from steplog.cli.views.console import print_hint
from steplog.client.client import Steplog
from steplog.client.read_api import ReadApi
from steplog.embedded.client import Embedded
from steplog.embedded.holder_address import token_for
from steplog.embedded.http_sender import ApiSender
from steplog.embedded.read_api import IN_PROCESS_URL
from steplog.embedded.sender import EmbeddedSender
from steplog.embedded.settings import settings_of_environment
from steplog.settings import SteplogSettings

MAX_MODULES_SHOWN = 5


@asynccontextmanager
async def embedded_client(
    file: Path,
    settings: SteplogSettings,
    *,
    runs: bool,
    pipeline: str | Mapping[str, Any] | None = None,
) -> AsyncIterator[Steplog]:
    """Yield a client on the file; with `runs` what is in the file runs meanwhile.

    Where a server has the file open, it is asked instead.

    Without STEPLOG_STEP_MODULES those modules may be imported that `pipeline` names, or what the
    commands sent here are about; all else in the file is left as it is, and that is said.
    """
    prepare(file)
    lock = EmbeddedLock(file)
    holder = lock.holder()
    if holder is not None and holder.api_url is not None:
        async with AsyncExitStack() as stack:
            token = token_for(lock, holder, settings.api_token)
            read = ReadApi(holder.api_url, token=token)
            stack.push_async_callback(read.close)
            yield Steplog(await stack.enter_async_context(ApiSender(holder.api_url, token)), read)
        return
    if not runs:
        async with EmbeddedFile(file) as opened:
            yield Steplog(
                EmbeddedSender(opened, settings_of_environment(file).payloads),
                ReadApi(IN_PROCESS_URL),
            )
        return
    told = settings_of_environment(file)
    asked = None if settings.step_modules else AskedModules()
    if asked is not None:
        _ask_for(asked, pipeline, told.pipelines_dir)
    async with Embedded.over(replace(told, asked=asked)) as embedded:
        yield embedded
    if asked is not None and asked.left:
        _tell_left(file, asked.left)


def _ask_for(
    asked: AskedModules, pipeline: str | Mapping[str, Any] | None, folder: Path | None
) -> None:
    """Allow the modules of a pipeline before the file is opened, for what waits there of it."""
    if isinstance(pipeline, str):
        with suppress(UnknownPipeline):  # The executor refuses it, with the names there are.
            asked.ask_for(DefinitionCatalogue(asked, folder).named(pipeline))
    elif pipeline is not None:
        asked.ask_for(dict(pipeline))


def _tell_left(file: Path, modules: Collection[str]) -> None:
    names = sorted(modules)
    shown = ", ".join(names[:MAX_MODULES_SHOWN])
    more = len(names) - MAX_MODULES_SHOWN
    listed = f"{shown} and {more} more" if more > 0 else shown
    print_hint(
        f"Other work in {file} stays there as it is: it needs modules that this command does not "
        f"name ({listed}). To run it, set STEPLOG_STEP_MODULES to them and run "
        "`steplog up --embedded`."
    )
