"""`steplog run --embedded`: a client whose executions run in this very process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from executor_service.adapters.embedded.file import EmbeddedFile
from executor_service.adapters.embedded.lock import EmbeddedLock
from steplog.cli.embedded_process import prepare
from steplog.client import Steplog
from steplog.embedded.api_sender import ApiSender
from steplog.embedded.client import Embedded
from steplog.embedded.holder_address import token_for
from steplog.embedded.reading import IN_PROCESS_URL
from steplog.embedded.sender import EmbeddedSender
from steplog.embedded.settings import settings_of_environment
from steplog.read_api import ReadApi
from steplog.settings import SteplogSettings


@asynccontextmanager
async def embedded_client(
    file: Path, settings: SteplogSettings, *, runs: bool
) -> AsyncIterator[Steplog]:
    """Yield a client on the file; with `runs` what is in the file runs meanwhile.

    Where a server has the file open, it is asked instead.

    People run their own definitions here, so without STEPLOG_STEP_MODULES every installed module
    may be named, as `steplog check` has it.
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
    modules = told.step_modules if settings.step_modules else None
    async with Embedded.open(
        file,
        step_modules=modules,
        pipelines_dir=told.pipelines_dir,
        services=told.services,
        max_executions_in_flight=told.max_executions_in_flight,
        payload_store=told.payload_store,
    ) as embedded:
        yield embedded
