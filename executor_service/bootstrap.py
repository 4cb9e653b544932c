"""The executor's composition root: settings in, a running service out."""

import asyncio
import signal
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog

from executor_service.adapters.fsspec_store import FsspecStore
from executor_service.adapters.kafka.command_source import KafkaCommandSource
from executor_service.adapters.kafka.event_log import KafkaEventLog
from executor_service.adapters.kafka.step_records import KafkaRecordSender
from executor_service.adapters.kafka.topics import check_topics, commands_retention_h
from executor_service.adapters.system_clock import SystemClock
from executor_service.admission.slots import ExecutionSlots
from executor_service.context import ExecutorContext
from executor_service.definitions.catalogue import DefinitionCatalogue
from executor_service.definitions.step_loader import Allowlist
from executor_service.metrics.execution_counts import AppendCounts, ExecutionCounts
from executor_service.partition.consumer import HANDOVER_GRACE_S, CommandConsumer
from executor_service.payloads.client import Payloads
from executor_service.process.executor_metrics import ExecutorCollector
from executor_service.process.loop_monitor import EventLoopMonitor
from executor_service.process.stop_deadline import STOP_TIMEOUT_S, StopDeadline
from executor_service.runtime.guarded_loop import guard_loop
from executor_service.settings import ExecutorSettings
from executor_service.steps.kafka_record import RECORDS
from executor_service.steps.service_loader import load_services
from steplog_contracts.partitioning import partition_of
from steplog_kafka.probe_page import serve_probe_page
from steplog_kafka.settings import Kafka, kafka_settings

_log = structlog.get_logger(__name__)


async def serve(settings: ExecutorSettings) -> None:
    """Run the executor until SIGTERM or SIGINT, then hand over and return."""
    guard_loop()
    topics = settings.topics
    kafka = kafka_settings(settings.kafka_bootstrap_servers)
    await check_topics(kafka, tuple(topics))
    await _check_window(kafka, settings)
    source = KafkaCommandSource(
        kafka,
        topic=topics.commands.name,
        dead_topic=topics.dead_commands.name,
        group_id=settings.group_id,
        session_timeout_ms=settings.session_timeout_ms,
    )
    context = _context(settings, source)
    context.services.register(RECORDS, KafkaRecordSender(kafka))
    appends = AppendCounts()
    stopping = _stop_signal()
    stop = StopDeadline(settings.shutdown_grace_s + STOP_TIMEOUT_S)
    async with (
        KafkaEventLog(kafka, topics.events.name, appends) as events,
        KafkaEventLog(kafka, topics.parked.name) as parked,
        KafkaEventLog(kafka, topics.seen.name) as seen,
        KafkaEventLog(kafka, topics.commands.name) as commands,
    ):
        consumer = CommandConsumer(
            source,
            events,
            parked,
            seen,
            context,
            commit_interval_s=settings.commit_interval_s,
            # Well within what the group grants a member for coming back.
            handover_grace_s=min(HANDOVER_GRACE_S, settings.session_timeout_ms / 3_000),
            ready_file=Path(settings.ready_file) if settings.ready_file else None,
        )
        consumer.check_commands(commands)
        await source.start(consumer)
        _log.info("executor_started", instance=context.instance, group=settings.group_id)
        try:
            with EventLoopMonitor() as loop:
                _serve_metrics(settings, ExecutorCollector(context, consumer, appends, loop))
                await consumer.run(stopping)
            _log.info("executor_stopping", grace_s=settings.shutdown_grace_s)
            stop.begin()
            await consumer.stop(settings.shutdown_grace_s)
        finally:
            await source.stop()
            await context.services.cleanup_all()
    stop.end()
    _log.info("executor_stopped")


def _serve_metrics(settings: ExecutorSettings, collector: ExecutorCollector) -> None:
    if settings.executor_metrics_port:
        serve_probe_page(
            settings.executor_metrics_host,
            settings.executor_metrics_port,
            collector,
            collector.unready,
            setting="STEPLOG_EXECUTOR_METRICS_PORT",
        )


async def _check_window(kafka: Kafka, settings: ExecutorSettings) -> None:
    """Say so where commands outlive the memory of them: one that comes again would run again."""
    kept_h = await commands_retention_h(kafka, settings.topics.commands.name)
    if kept_h is not None and kept_h > settings.dedupe_window_h:
        _log.warning(
            "dedupe_window_short",
            commands_kept_h=kept_h,
            window_h=settings.dedupe_window_h,
            remedy="set retention.ms of the commands topic, or STEPLOG_DEDUPE_WINDOW_H, so that "
            "the window is no shorter",
        )


def _context(settings: ExecutorSettings, source: KafkaCommandSource) -> ExecutorContext:
    folder = Path(settings.pipelines_dir) if settings.pipelines_dir else None
    return ExecutorContext(
        instance=settings.executor_instance,
        catalogue=DefinitionCatalogue(Allowlist(settings.allowed_modules), folder),
        slots=ExecutionSlots(settings.max_executions_in_flight),
        clock=SystemClock(),
        services=load_services(settings.services),
        max_waiting_commands=settings.max_waiting_commands,
        counts=ExecutionCounts() if settings.executor_metrics_port else None,
        park_over=timedelta(seconds=settings.park_timers_over_s),
        dedupe_window=timedelta(hours=settings.dedupe_window_h),
        dedupe_max_ids=settings.dedupe_max_ids,
        set_aside=source.set_aside,
        send=source.send,
        payloads=_payloads(settings),
        partition_of=partial(partition_of, partitions=settings.partitions),
    )


def _payloads(settings: ExecutorSettings) -> Payloads:
    url, shared = settings.payload_store, settings.payload_store_shared
    store = FsspecStore(url, shared=shared) if url else None
    return Payloads(store, settings.max_inline_bytes)


def _stop_signal() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping
