"""The end of a producer, within bounds whatever its brokers do, and nothing sent after it."""

import asyncio
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

CUT_TIMEOUT_S = 5.0

_log = structlog.get_logger(__name__)


async def stop_producer(producer: AIOKafkaProducer, flush_s: float) -> None:
    """Stop a producer: what it has in flight may still end for a while, then it is cut off."""
    try:
        async with asyncio.timeout(flush_s):
            await producer.stop()
            return
    except TimeoutError:
        pass
    except KafkaError as error:
        _log.info("producer_stopped_hard", reason=str(error))
    # Nothing more is sent, then requests end with their connections; what a silent broker still
    # has to be sent holds up no more than the one step.
    sending = producer._sender.sender_task
    if sending is not None:
        sending.cancel()
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CUT_TIMEOUT_S):
            await producer.client.close()
    if sending is not None:
        await asyncio.wait([sending], timeout=CUT_TIMEOUT_S)
        sending.cancel()
    _fail_rest(producer, KafkaError("The connection was given up."))


def _fail_rest(producer: AIOKafkaProducer, error: KafkaError) -> None:
    """Tell whoever waits for a batch that it will not come; who went away is not missed."""
    accumulator = producer._message_accumulator
    queued = [batch for batches in accumulator._batches.values() for batch in batches]
    # Where batches in flight stand: the end of one takes it out there.
    accumulator._pending_batches.update(queued)
    accumulator._exception = error
    for batch in list(accumulator._pending_batches):
        batch.failure(error)
        for waited_for in (batch.future, batch._drain_waiter):
            if waited_for.done() and not waited_for.cancelled():
                waited_for.exception()
