"""`python -m tracker_service worker | api | migrate`."""

import argparse
import asyncio
import sys

from steplog_contracts.addresses import without_passwords
from steplog_contracts.errors import SteplogError
from steplog_kafka.process_logs import configure_logs, log_unknown_settings
from tracker_service.settings import Settings, read_settings

EXIT_REFUSED = 1


def main(arguments: list[str] | None = None) -> int:
    """Run one of the tracker's processes; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tracker_service", description=__doc__)
    parser.add_argument("process", choices=["worker", "api", "migrate"])
    process = parser.parse_args(arguments).process
    try:
        settings = read_settings()
        configure_logs(settings.log_level)
        log_unknown_settings()
        {"worker": run_worker, "api": run_api, "migrate": run_migrate}[process](settings)
    except SteplogError as error:
        print(f"tracker {process}: {without_passwords(str(error))}", file=sys.stderr)  # noqa: T201
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return 130
    return 0


def run_worker(settings: Settings) -> None:
    """Project the log until told to stop."""
    from tracker_service.bootstrap import make_store, prepare  # noqa: PLC0415
    from tracker_service.worker.app import LiveTracker  # noqa: PLC0415 - Faust is slow to import

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    store = make_store(settings)
    loop.run_until_complete(prepare(settings, store))
    LiveTracker(settings, store, loop).run()


def run_api(settings: Settings) -> None:
    """Answer questions over HTTP until told to stop."""
    from tracker_service.api_server.server import serve  # noqa: PLC0415

    serve(settings)


def run_migrate(settings: Settings) -> None:
    """Bring the read model's schema up to date and end."""
    from tracker_service.bootstrap import make_store  # noqa: PLC0415

    async def migrate() -> None:
        store = make_store(settings)
        await store.open()
        await store.close()

    asyncio.run(migrate())


if __name__ == "__main__":
    sys.exit(main())
