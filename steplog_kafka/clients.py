"""Clients made from the settings: a producer, a consumer, an admin; nowhere else is one made.

They are made, not started: `connection.start` does that and says in a sentence why it failed.
"""

import ssl
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import AbstractTokenProvider
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient

from steplog_kafka.client_hooks import install
from steplog_kafka.errors import WrongKafkaSettings
from steplog_kafka.library_lines import bound_kafka_client
from steplog_kafka.secret_values import secret_value
from steplog_kafka.settings import Kafka, KafkaSettings, kafka_settings
from steplog_kafka.tokens import FileTokens, RequestedTokens


def make_producer(kafka: Kafka, **options: Any) -> AIOKafkaProducer:
    """Return a producer that waits for all replicas and repeats nothing.

    Args:
        kafka: the settings, or an address.
        options: what aiokafka's producer takes beside the connection.

    Raises:
        WrongKafkaSettings: a file of the settings can't be used.
    """
    return AIOKafkaProducer(
        **{
            **connection_options(kafka),
            "acks": "all",
            "enable_idempotence": True,
            **options,
        }
    )


def make_consumer(kafka: Kafka, *topics: str, **options: Any) -> AIOKafkaConsumer:
    """Return a consumer that commits only when it is asked to; raises as `make_producer`."""
    settings = kafka_settings(kafka)
    return AIOKafkaConsumer(
        *topics,
        **{
            **connection_options(settings),
            "client_rack": settings.client_rack,
            "enable_auto_commit": False,
            **options,
        },
    )


def make_admin(kafka: Kafka, **options: Any) -> AIOKafkaAdminClient:
    """Return a client for topics, groups and rights; raises as `make_producer`."""
    return AIOKafkaAdminClient(**{**connection_options(kafka), **options})


def make_client(kafka: Kafka, **options: Any) -> AIOKafkaClient:
    """Return a bare client, which asks for metadata; raises as `make_producer`."""
    return AIOKafkaClient(**{**connection_options(kafka), **options})


def connection_options(kafka: Kafka) -> dict[str, Any]:
    """Return what all of aiokafka's clients take about the connection."""
    bound_kafka_client()
    settings = kafka_settings(kafka)
    return {
        "bootstrap_servers": settings.servers,
        "client_id": settings.client_id,
        "request_timeout_ms": settings.request_timeout_ms,
        "metadata_max_age_ms": settings.metadata_max_age_ms,
        **security_options(settings),
    }


def security_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return the part of `connection_options` that is about secrecy and identity."""
    install()
    options: dict[str, Any] = {"security_protocol": settings.security_protocol}
    if settings.uses_tls:
        options["ssl_context"] = _tls(settings)
    if settings.uses_sasl:
        options["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            options["sasl_oauth_token_provider"] = _tokens(settings)
        else:
            options["sasl_plain_username"] = settings.sasl_username
            options["sasl_plain_password"] = secret_value(
                settings.sasl_password, settings.sasl_password_file
            )
    return options


def _tokens(settings: KafkaSettings) -> AbstractTokenProvider:
    if settings.sasl_oauth_token_file is not None:
        return FileTokens(settings.sasl_oauth_token_file)
    return RequestedTokens(settings)


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
    except (ssl.SSLError, OSError):
        raise WrongKafkaSettings(
            f"STEPLOG_KAFKA_SSL_CAFILE names {settings.ssl_cafile}, which holds no certificates "
            "in PEM form."
        ) from None
    context.check_hostname = settings.ssl_check_hostname
    if settings.ssl_certfile is not None:
        _show_certificate(context, settings)
    return context


def _show_certificate(context: ssl.SSLContext, settings: KafkaSettings) -> None:
    password = secret_value(settings.ssl_key_password, settings.ssl_key_password_file)
    assert settings.ssl_certfile is not None
    try:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(
            settings.ssl_certfile, settings.ssl_keyfile, password=password or ""
        )
    except (ssl.SSLError, OSError, ValueError):
        key = settings.ssl_keyfile or settings.ssl_certfile
        raise WrongKafkaSettings(
            f"The certificate in {settings.ssl_certfile} and the key in {key} can't be used "
            "together; both must be PEM, belong to each other, and an encrypted key needs "
            "STEPLOG_KAFKA_SSL_KEY_PASSWORD_FILE."
        ) from None
