"""The live tracker: a Faust app whose one agent applies batches to the read model.

Faust gives lifecycle, group membership, rebalances and backpressure. It does not give delivery: it
acks what an agent raised on or was cancelled in and goes on with the next batch. So the agent's
body never raises; what can't be waited out ends the process at once, and the next one begins from
the position in the read model.
"""

import gc
import signal
import threading
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import faust
import structlog
from faust.types import TP
from faust.worker import Worker

from steplog_contracts.private_files import NotPrivate, private_folder
from steplog_kafka.probe_page import serve_probe_page
from steplog_kafka.settings import kafka_settings
from tracker_service.bootstrap import drift_check, loss_check
from tracker_service.projections.errors import TrackerError
from tracker_service.projector.projector import Projector
from tracker_service.projector.store_retry import Pacing
from tracker_service.rebuild.drift_check import DriftCheck
from tracker_service.settings import BadSettings, Settings
from tracker_service.store.errors import StoreError
from tracker_service.store.write_port import Store
from tracker_service.worker.faust_transport import Batch, Transport
from tracker_service.worker.log_watch import LogWatch
from tracker_service.worker.metrics import WorkerCollector
from tracker_service.worker.process_exit import EXIT_TRY_AGAIN, guarded, leave
from tracker_service.worker.watchdog import Watchdog

log = structlog.get_logger(__name__)

# Between two looks at where partitions end; also how old a freshness answer is at most.
HEARTBEAT_S = 1.0
# Batches waiting per stream: each holds up to batch_max_records, so memory stays bounded.
STREAM_BUFFER_BATCHES = 4
# Offsets are committed for lag tools only.
COMMIT_INTERVAL_S = 5.0
WATCH_INTERVAL_S = 1.0
# So many heartbeats may be lost before the group takes a worker for dead, less one.
HEARTBEATS_PER_SESSION = 4
# A stop leaves the group and commits offsets for lag tools; a broker that is away answers neither.
STOP_TIMEOUT_S = 15.0
# Without progress for so long while events wait, a worker says that it is not ready.
UNREADY_AFTER_S = 10.0
# Between two rounds of the cycle collector, and how many of them leave old objects alone.
COLLECT_INTERVAL_S = 10.0
YOUNG_ROUNDS = 60


class TrackerWorker(Worker):
    """Faust's worker, telling when it was asked to stop."""

    stop_asked_s: float | None = None

    @property
    def stop_asked(self) -> bool:
        """Whether a signal asked it to stop."""
        return self.stop_asked_s is not None

    def stops_for_s(self, now_s: float) -> float:
        """Return how long it has been stopping."""
        return 0.0 if self.stop_asked_s is None else now_s - self.stop_asked_s

    def _on_sigint(self) -> None:
        self.stop_asked_s = self.stop_asked_s or time.monotonic()
        self._flag_as_shutdown_by_signal()
        # Not the parent's: it prints a row of -INT-.
        self._schedule_shutdown(signal.SIGINT)

    def _on_sigterm(self) -> None:
        self.stop_asked_s = self.stop_asked_s or time.monotonic()
        super()._on_sigterm()


def make_app(settings: Settings, loop: Any) -> Any:
    """Return the Faust app; each setting that is not a default has its reason here."""
    try:
        private_folder(settings.tracker_data_folder)
    except NotPrivate as error:
        raise BadSettings(f"STEPLOG_TRACKER_DATA_FOLDER can't be used. {error}") from error
    except OSError as error:
        raise BadSettings(
            f"The folder {settings.tracker_data_folder} can't be made: {error.strerror}; set "
            "STEPLOG_TRACKER_DATA_FOLDER to one that can be written."
        ) from error
    kafka = kafka_settings(settings.kafka_bootstrap_servers)
    app = faust.App(
        settings.consumer_group,
        # Shown only: the one client is made by `transport.ConsumerThread`.
        broker=[f"kafka://{server}" for server in kafka.servers],
        loop=loop,
        datadir=str(settings.tracker_data_folder),
        key_serializer="raw",
        value_serializer="raw",
        # Nothing is kept in Faust: no tables, so no standbys, leader topic or declared topics.
        table_standby_replicas=0,
        topic_disable_leader=True,
        topic_allow_declare=False,
        # It would listen on all addresses and show internals.
        web_enabled=False,
        # A batch in flight finishes before a stop or a rebalance; without it, acks come first.
        stream_wait_empty=True,
        stream_buffer_maxsize=STREAM_BUFFER_BATCHES,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=kafka.metadata_max_age_ms,
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_session_timeout=settings.tracker_session_timeout_s,
        broker_heartbeat_interval=settings.tracker_session_timeout_s / HEARTBEATS_PER_SESSION,
        broker_rebalance_timeout=settings.tracker_rebalance_timeout_s,
        broker_request_timeout=max(90.0, settings.tracker_session_timeout_s + 1.0),
        worker_redirect_stdouts=False,
    )
    # Nothing is ever sent, so a tracker needs no right to write.
    app.boot_strategy.enable_kafka_producer = False
    return app


class LiveTracker:
    """Joins Faust, the projector, the watchdog and the store; run it with `run`."""

    def __init__(self, settings: Settings, store: Store, loop: Any) -> None:
        self._settings = settings
        self._store = store
        self._topic = settings.events_topic
        self._pacing = Pacing(lambda: self._worker.stop_asked)
        self.projector = Projector(store, self._topic, self._pacing)
        self.watchdog = Watchdog(settings.tracker_stall_timeout_s, time.monotonic())
        self.projector.on_progress = self._progressed
        self.log_watch = LogWatch(loss_check(settings, store), partial(leave, EXIT_TRY_AGAIN))
        self.projector.is_whole = self.log_watch.is_whole
        self._app = make_app(settings, loop)
        self._app.transport = Transport(
            self._app,
            kafka_settings(settings.kafka_bootstrap_servers),
            self._start_positions,
            settings.tracker_batch_max_records,
            self.log_watch.lost,
        )
        self._worker = TrackerWorker(
            self._app, loop=loop, quiet=True, override_logging=False, redirect_stdouts=False
        )
        self._worker.spinner = None
        self._declare()

    def run(self) -> None:
        """Run until stopped by a signal; ends the process."""
        # What is imported stays; what a batch makes is freed by reference counts. The collector
        # would look at each fetched record and its headers again and again; it goes by the clock.
        gc.freeze()
        gc.disable()
        settings = self._settings
        if settings.tracker_metrics_port:
            serve_probe_page(
                settings.tracker_metrics_host,
                settings.tracker_metrics_port,
                WorkerCollector(self.projector.applied, self.watchdog, self.log_watch.lost),
                self.unready,
                setting="STEPLOG_TRACKER_METRICS_PORT",
            )
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        self._worker.execute_from_commandline()

    def unready(self) -> str | None:
        """Return why rows do not get fresher at the moment, None while they do."""
        if trouble := self._pacing.trouble:
            return f"The read model is away: {trouble}"
        if lost := next(iter(self.log_watch.lost.values()), None):
            return lost
        now_s = time.monotonic()
        return self.watchdog.still(UNREADY_AFTER_S, now_s) or self.watchdog.alone(
            UNREADY_AFTER_S, now_s
        )

    def _declare(self) -> None:
        app = self._app
        topic = app.topic(
            self._topic,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )

        async def project(stream: AsyncIterator[Batch]) -> None:
            async for batch in stream:
                await self._apply(batch)

        app.agent(
            topic,
            name="project",
            isolated_partitions=self._settings.tracker_parallel_partitions,
        )(project)
        app.task(self._heartbeat)
        app.task(self._collect)
        if (check := drift_check(self._settings)) is not None:
            app.task(lambda: self._check_drift(check))

    async def _apply(self, batch: Batch) -> None:
        await guarded(
            lambda: self.projector.apply(batch.partition, batch.records, batch.end_offset)
        )
        self._app.consumer.applied(TP(self._topic, batch.partition))

    async def _start_positions(self, partitions: Any) -> dict[int, int]:
        await self.log_watch.look(partitions)
        positions = await self.projector.start_positions(partitions)
        self.watchdog.assigned(positions, time.monotonic())
        log.info("partitions assigned", partitions=sorted(positions))
        return positions

    def _progressed(self, partition: int, next_offset: int) -> None:
        self.watchdog.moved(partition, next_offset, time.monotonic())

    async def _heartbeat(self) -> None:
        while not self._app.should_stop:
            known = dict(self.watchdog.positions)
            ends = await self._ends()
            now_s, away, lost = time.monotonic(), self._pacing.waiting, self.log_watch.lost
            if self._app.consumer.in_group:
                self.watchdog.in_group(now_s)
            self.watchdog.beat(ends, store_away=away, now_s=now_s, held=lost)
            if ends:
                await self.log_watch.beat(known, ends, now_s)
                await self._tell(ends)
            await self._app.sleep(HEARTBEAT_S)

    async def _check_drift(self, check: DriftCheck) -> None:
        while not self._app.should_stop:
            await self._app.sleep(self._settings.tracker_drift_interval_s)
            # One worker of all is enough: whoever has the first partition.
            if 0 in self.watchdog.positions and not self._app.should_stop:
                try:
                    await check.run()
                except TrackerError as error:
                    log.info("rows not checked against the log", reason=str(error))

    async def _collect(self) -> None:
        """Free what reference counts can't; a round takes some milliseconds."""
        rounds = 0
        while not self._app.should_stop:
            await self._app.sleep(COLLECT_INTERVAL_S)
            rounds += 1
            gc.collect(2 if rounds % YOUNG_ROUNDS == 0 else 1)

    async def _tell(self, ends: dict[int, int]) -> None:
        known = dict(self.watchdog.positions)
        try:
            stored = await self._store.observe_ends(self._topic, ends)
        except StoreError as error:
            log.info("ends not noted", reason=str(error))
            return
        back = [p for p, position in stored.items() if position < known.get(p, 0)]
        if back:
            # A standby took over that had not seen the last commits; what they held is in the log.
            leave(EXIT_TRY_AGAIN, f"The positions of partitions {back} moved back; starting anew.")

    async def _ends(self) -> dict[int, int]:
        try:
            assigned = self._app.consumer.assignment()
            if not assigned:
                return {}
            ends = await self._app.consumer.highwaters(*assigned)
        except Exception as error:
            log.info("ends of partitions not known", reason=str(error))
            return {}
        return {tp.partition: end for tp, end in ends.items() if end is not None}

    def _watch(self) -> None:
        while True:
            time.sleep(WATCH_INTERVAL_S)
            if self._worker.stops_for_s(time.monotonic()) > STOP_TIMEOUT_S:
                leave(EXIT_TRY_AGAIN, "Kafka does not answer, so its group is left without a word.")
            if sentence := self.watchdog.stalled(time.monotonic()):
                leave(EXIT_TRY_AGAIN, f"{sentence} Ending, to be started anew.")
