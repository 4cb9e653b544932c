"""How a worker ends at once: with a code for its supervisor, and a sentence for people."""

import os
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from tracker_service.projections.errors import TrackerError
from tracker_service.projector.projector import HoleInLog
from tracker_service.projector.store_retry import StoppedWaiting

log = structlog.get_logger(__name__)

EXIT_TRY_AGAIN: Final = (
    75  # EX_TEMPFAIL of sysexits.h: a new process begins where this one stopped.
)
# EX_SOFTWARE: something here is wrong; look at the log.
EXIT_SOFTWARE: Final = 70


def leave(code: int, sentence: str) -> None:
    """End the process now. A graceful stop would ack batches that were never applied."""
    log.critical(sentence, exit_code=code)
    sys.stderr.flush()
    os._exit(code)


async def guarded(call: Callable[[], Awaitable[None]]) -> None:
    """Await the call; whatever it raises ends the process, since going on would lose a batch."""
    try:
        await call()
    except (StoppedWaiting, HoleInLog) as error:
        leave(EXIT_TRY_AGAIN, str(error))
    except TrackerError as error:
        leave(EXIT_SOFTWARE, str(error))
    except Exception as error:
        log.exception("the tracker failed at a batch")
        leave(EXIT_SOFTWARE, f"The tracker failed at a batch: {error!r}.")
