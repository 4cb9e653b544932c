"""Puts the tracker's parts together, and looks before it leaps."""

import importlib
from collections.abc import Mapping
from uuid import uuid4

import structlog

from steplog_contracts.topics import topics_for
from tracker_service.log.events_log import EventsLog
from tracker_service.log.kafka_command_sink import KafkaCommands
from tracker_service.log.kafka_consumer import check_count, check_topic, read_bounds
from tracker_service.log.kafka_events_log import KafkaEventsLog
from tracker_service.log.log_loss import LossCheck
from tracker_service.projections.errors import TrackerError
from tracker_service.rebuild.drift_check import DriftCheck
from tracker_service.settings import Settings
from tracker_service.store.factory import read_model_for, store_for
from tracker_service.store.postgres.database_settings import read_database_settings
from tracker_service.store.read_port import ReadModel
from tracker_service.store.write_port import Store

log = structlog.get_logger(__name__)

# Without these the pure Python stand-ins run: right in the end, but many times slower, and Faust's
# acks events of an old generation.
_EXTENSIONS: Mapping[str, str] = {
    "aiokafka.record._crecords.default_records": "aiokafka",
    "faust._cython.streams": "faust-streaming",
}


class LacksExtension(TrackerError):
    """A dependency was installed without its C extension."""


def check_extensions() -> None:
    """Raise `LacksExtension` if a C extension the tracker counts on is missing."""
    for module, distribution in _EXTENSIONS.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise LacksExtension(
                f"{distribution} is installed without its C extension ({module}); install its "
                "wheel for this platform."
            ) from error


def make_store(settings: Settings) -> Store:
    """Return the store for the database URL, not yet open."""
    return store_for(settings.database_url, max_connections=settings.tracker_max_connections)


def make_read_model(settings: Settings) -> ReadModel:
    """Return the read model for the database URL, not yet open."""
    return read_model_for(settings.database_url, max_connections=settings.api_max_connections)


def make_events_log(settings: Settings) -> EventsLog:
    """Return the log that histories are read from."""
    return KafkaEventsLog(settings.kafka_bootstrap_servers, settings.events_topic)


def make_commands(settings: Settings) -> KafkaCommands:
    """Return the log that commands of the API go to; it connects with the first one."""
    return KafkaCommands(settings.kafka_bootstrap_servers, settings.commands_topic)


def drift_check(settings: Settings) -> DriftCheck | None:
    """Return the check of a few rows against the log; None where it is off or can't be done."""
    in_postgres = settings.database_url.startswith(("postgres://", "postgresql://"))
    if not settings.tracker_drift_interval_s or not in_postgres:
        return None
    if read_database_settings().by_transaction:
        log.warning("rows are not checked against the log: that needs a session of the database")
        return None
    servers, topic = settings.kafka_bootstrap_servers, settings.events_topic
    return DriftCheck(
        settings.database_url,
        KafkaEventsLog(servers, topic),
        topic,
        settings.tracker_drift_sample,
        lambda: uuid4().hex,
    )


async def prepare(settings: Settings, store: Store) -> None:
    """Open the store and compare log and rows before anything is consumed.

    That the log lost records is written down and stops nothing else: a new start can't mend it.

    Raises:
        TrackerError: something a person must put right; its text says what.
    """
    check_extensions()
    await store.open()
    topic = settings.events_topic
    known = await store.known_partitions(topic)
    bounds = await read_bounds(settings.kafka_bootstrap_servers, topic)
    await check_topic(settings.kafka_bootstrap_servers, topics_for(settings.topic_namespace).events)
    check_count(topic, bounds, known, settings.partitions)
    await store.positions(topic, sorted(bounds.ends))
    await loss_check(settings, store).run(sorted(bounds.ends))
    await store.observe_ends(topic, dict(bounds.ends))


def loss_check(settings: Settings, store: Store) -> LossCheck:
    """Return the check of the log against the positions."""
    return LossCheck(store, make_events_log(settings), settings.events_topic)
