"""Every environment variable that steplog reads: each process knows its own settings alone.

One environment serves executor, tracker, command line and client, so no process can say by itself
that a variable is nobody's. A misspelt one would otherwise be passed over in silence.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

PREFIX: Final = "STEPLOG_"
# Variables of users' own steps and deployments, which mean nothing here.
FREE_PREFIX: Final = "STEPLOG_X_"
MAX_NAMED: Final = 20
# Below it a name is another word, not a misspelt one.
SIMILARITY: Final = 0.8
KNOWN_SETTINGS: Final = frozenset(
    {
        "STEPLOG_API_CORS_ORIGINS",
        "STEPLOG_API_HOST",
        "STEPLOG_API_MAX_CONNECTIONS",
        "STEPLOG_API_MAX_STREAMS",
        "STEPLOG_API_OIDC_AUDIENCE",
        "STEPLOG_API_OIDC_ISSUER",
        "STEPLOG_API_OIDC_ROLE_CLAIM",
        "STEPLOG_API_PORT",
        "STEPLOG_API_RATE_PER_S",
        "STEPLOG_API_TOKEN",
        "STEPLOG_API_TOKENS",
        "STEPLOG_API_TOKENS_FILE",
        "STEPLOG_API_TRUSTED_PROXIES",
        "STEPLOG_API_URL",
        "STEPLOG_COMMIT_INTERVAL_S",
        "STEPLOG_DATABASE_PASSWORD",
        "STEPLOG_DATABASE_PASSWORD_FILE",
        "STEPLOG_DATABASE_POOLING",
        "STEPLOG_DATABASE_URL",
        "STEPLOG_DATA_DIR",
        "STEPLOG_DATA_FILE",
        "STEPLOG_DEDUPE_MAX_IDS",
        "STEPLOG_DEDUPE_WINDOW_H",
        "STEPLOG_EXECUTOR_GROUP",
        "STEPLOG_EXECUTOR_INSTANCE",
        "STEPLOG_EXECUTOR_METRICS_HOST",
        "STEPLOG_EXECUTOR_METRICS_PORT",
        "STEPLOG_HTTP_HOSTS",
        "STEPLOG_HTTP_PRIVATE_HOSTS",
        "STEPLOG_INTERPRETED",
        "STEPLOG_KAFKA_BOOTSTRAP_SERVERS",
        "STEPLOG_KAFKA_CLIENT_ID",
        "STEPLOG_KAFKA_CLIENT_RACK",
        "STEPLOG_KAFKA_METADATA_MAX_AGE_MS",
        "STEPLOG_KAFKA_MIN_INSYNC_REPLICAS",
        "STEPLOG_KAFKA_REPLICATION_FACTOR",
        "STEPLOG_KAFKA_REQUEST_TIMEOUT_MS",
        "STEPLOG_KAFKA_SASL_MECHANISM",
        "STEPLOG_KAFKA_SASL_OAUTH_CLIENT_ID",
        "STEPLOG_KAFKA_SASL_OAUTH_CLIENT_SECRET",
        "STEPLOG_KAFKA_SASL_OAUTH_CLIENT_SECRET_FILE",
        "STEPLOG_KAFKA_SASL_OAUTH_SCOPE",
        "STEPLOG_KAFKA_SASL_OAUTH_TOKEN_FILE",
        "STEPLOG_KAFKA_SASL_OAUTH_TOKEN_URL",
        "STEPLOG_KAFKA_SASL_PASSWORD",
        "STEPLOG_KAFKA_SASL_PASSWORD_FILE",
        "STEPLOG_KAFKA_SASL_USERNAME",
        "STEPLOG_KAFKA_SECURITY_PROTOCOL",
        "STEPLOG_KAFKA_SSL_CAFILE",
        "STEPLOG_KAFKA_SSL_CERTFILE",
        "STEPLOG_KAFKA_SSL_CHECK_HOSTNAME",
        "STEPLOG_KAFKA_SSL_KEYFILE",
        "STEPLOG_KAFKA_SSL_KEY_PASSWORD",
        "STEPLOG_KAFKA_SSL_KEY_PASSWORD_FILE",
        "STEPLOG_LOG_LEVEL",
        "STEPLOG_MAX_EXECUTIONS_IN_FLIGHT",
        "STEPLOG_MAX_INLINE_BYTES",
        "STEPLOG_MAX_WAITING_COMMANDS",
        "STEPLOG_PARK_TIMERS_OVER_S",
        "STEPLOG_PARTITIONS",
        "STEPLOG_PAYLOAD_STORE",
        "STEPLOG_PAYLOAD_STORE_SHARED",
        "STEPLOG_PIPELINES_DIR",
        "STEPLOG_READY_FILE",
        "STEPLOG_SERVICES",
        "STEPLOG_SESSION_TIMEOUT_MS",
        "STEPLOG_SHUTDOWN_GRACE_S",
        "STEPLOG_STEP_MODULES",
        "STEPLOG_STEP_TOPICS",
        "STEPLOG_TOPIC_NAMESPACE",
        "STEPLOG_TRACEBACK",
        "STEPLOG_TRACKER_BATCH_MAX_RECORDS",
        "STEPLOG_TRACKER_DATA_FOLDER",
        "STEPLOG_TRACKER_DRIFT_INTERVAL_S",
        "STEPLOG_TRACKER_DRIFT_SAMPLE",
        "STEPLOG_TRACKER_GROUP",
        "STEPLOG_TRACKER_MAX_CONNECTIONS",
        "STEPLOG_TRACKER_METRICS_HOST",
        "STEPLOG_TRACKER_METRICS_PORT",
        "STEPLOG_TRACKER_PARALLEL_PARTITIONS",
        "STEPLOG_TRACKER_REBALANCE_TIMEOUT_S",
        "STEPLOG_TRACKER_SESSION_TIMEOUT_S",
        "STEPLOG_TRACKER_STALL_TIMEOUT_S",
    }
)


def unknown_settings(names: Iterable[str]) -> list[str]:
    """Return a sentence for each name that looks like a setting and is none."""
    unknown = sorted(
        name
        for name in names
        if name.startswith(PREFIX)
        and not name.startswith(FREE_PREFIX)
        and name not in KNOWN_SETTINGS
    )
    return [_sentence(name) for name in unknown[:MAX_NAMED]]


def _sentence(name: str) -> str:
    likely = get_close_matches(name, KNOWN_SETTINGS, n=1, cutoff=SIMILARITY)
    advice = f"did you mean {likely[0]}?" if likely else "docs/operating.md lists them."
    return f"There is no setting {name}, so it changes nothing; {advice}"
