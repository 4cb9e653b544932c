"""Where the broker and the API are: as set, or as the local stack that runs here tells."""

from dataclasses import dataclass

from steplog.errors import StackBusy
from steplog.local.data_folder import DataFolder
from steplog.local.stack_state import StackState
from steplog.settings import DEFAULT_API_PORT, SteplogSettings
from steplog_contracts.payload import MAX_INLINE_PAYLOAD_BYTES
from steplog_contracts.topics import Topics, topics_for
from steplog_kafka.settings import Kafka


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a client needs to reach one steplog."""

    # An address is reached as the environment says; settings made in code say it themselves.
    kafka_bootstrap_servers: Kafka
    api_url: str
    topics: Topics
    payload_store: str | None = None  # None: what is too large for a record is refused.
    max_inline_bytes: int = MAX_INLINE_PAYLOAD_BYTES
    api_token: str | None = None
    payload_store_shared: bool = False


def find_addresses(settings: SteplogSettings) -> Addresses:
    """Return the addresses of whichever steplog the settings mean.

    Raises:
        StackBusy: nothing is set and no stack runs on the data folder.
    """
    state = _running_stack(settings)
    if settings.kafka_bootstrap_servers is not None:
        return Addresses(
            settings.kafka_bootstrap_servers,
            api_url(settings),
            settings.topics,
            settings.payload_store,
            settings.max_inline_bytes,
            settings.api_token,
            settings.payload_store_shared,
        )
    if state is None or state.kafka_bootstrap_servers is None or state.api_url is None:
        raise _nothing_runs(settings)
    topics = topics_for(state.topic_namespace, state.partitions)
    return Addresses(
        state.kafka_bootstrap_servers,
        settings.api_url or state.api_url,
        topics,
        settings.payload_store or state.payload_store,
        settings.max_inline_bytes,
        settings.api_token,
        settings.payload_store_shared,
    )


def api_url(settings: SteplogSettings) -> str:
    """Return where questions are answered; raises as `find_addresses` does."""
    if settings.api_url is not None:
        return settings.api_url.rstrip("/")
    state = _running_stack(settings)
    if state is not None and state.api_url is not None:
        return state.api_url
    if settings.kafka_bootstrap_servers is None:
        raise _nothing_runs(settings)
    return f"http://{settings.api_host}:{settings.api_port or DEFAULT_API_PORT}"


def _running_stack(settings: SteplogSettings) -> StackState | None:
    folder = DataFolder(settings.data_dir)
    return folder.read_state() if folder.is_held() else None


def _nothing_runs(settings: SteplogSettings) -> StackBusy:
    folder = DataFolder(settings.data_dir).root
    return StackBusy(
        f"No stack runs in {folder}; start one with `steplog up`, name its folder with "
        "STEPLOG_DATA_DIR, or set KAFKA_BOOTSTRAP_SERVERS and STEPLOG_API_URL."
    )
