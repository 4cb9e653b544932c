"""Why no connection comes about: one broker asked step by step, and what it answers put in words.

Each step is bounded by the request timeout of the settings, and by `PROBE_TIMEOUT_S` at most.
"""

import asyncio
import socket
import ssl
from contextlib import suppress

from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from steplog_kafka.clients import security_options
from steplog_kafka.errors import KafkaProblem, KafkaRefused, KafkaUnreachable
from steplog_kafka.rights import principal
from steplog_kafka.settings import KafkaSettings

PROBE_TIMEOUT_S = 5.0
_PROTOCOL = "STEPLOG_KAFKA_SECURITY_PROTOCOL"
# OpenSSL's codes of X509_V_ERR.
_EXPIRED, _NOT_YET = 10, 9
_OTHER_HOST = frozenset({62, 63, 64})


async def diagnose(settings: KafkaSettings) -> KafkaProblem | None:
    """Return why no client can connect with these settings; None if one can."""
    found: KafkaProblem | None = None
    for host, port, _family in collect_hosts(settings.servers, randomize=False):
        problem = await _at(settings, host, int(port))
        if not isinstance(problem, KafkaUnreachable):
            return problem
        found = found or problem
    return found


def unreachable(settings: KafkaSettings, reason: str = "") -> KafkaUnreachable:
    """Return the error for brokers of which none answers."""
    because = f" ({reason})" if reason else ""
    return KafkaUnreachable(
        f"Kafka does not answer at {settings.bootstrap_servers}{because}; "
        "start it there or correct KAFKA_BOOTSTRAP_SERVERS."
    )


async def _at(settings: KafkaSettings, host: str, port: int) -> KafkaProblem | None:
    """Return what is wrong at one address; None if a request is answered there."""
    address = f"{host}:{port}"
    try:
        connection = await _connected(settings, host, port)
        try:
            answer = await connection.send(MetadataRequest([]))
        finally:
            await connection.close()
    except KafkaProblem as error:
        return error
    except ssl.SSLCertVerificationError as error:
        return _untrusted(settings, address, error)
    except SaslAuthenticationFailed:
        return _not_let_in(settings, address)
    except (UnsupportedSaslMechanismError, IllegalSaslStateError):
        return KafkaRefused(
            f"Kafka at {address} does not take {settings.sasl_mechanism} from clients; correct "
            "STEPLOG_KAFKA_SASL_MECHANISM or the port in KAFKA_BOOTSTRAP_SERVERS."
        )
    except socket.gaierror:
        return unreachable(settings, f"there is no host {host}")
    except ConnectionRefusedError:
        return unreachable(settings)
    except (KafkaError, OSError, TimeoutError, ValueError) as error:
        return await _unclear(settings, host, port, error)
    return None if answer.brokers else _not_let_in(settings, address)


def _not_let_in(settings: KafkaSettings, address: str) -> KafkaRefused:
    return KafkaRefused(
        f"Kafka at {address} does not let {principal(settings)} in; correct the user or the "
        "secret (docs/security.md lists the settings)."
    )


async def _connected(settings: KafkaSettings, host: str, port: int) -> AIOKafkaConnection:
    timeout_ms = min(settings.request_timeout_ms, int(PROBE_TIMEOUT_S * 1000))
    return await create_conn(
        host,
        port,
        client_id=settings.client_id,
        request_timeout_ms=timeout_ms,
        **security_options(settings),
    )


def _untrusted(
    settings: KafkaSettings, address: str, error: ssl.SSLCertVerificationError
) -> KafkaRefused:
    if error.verify_code in (_EXPIRED, _NOT_YET):
        when = "has expired" if error.verify_code == _EXPIRED else "does not hold yet"
        return KafkaRefused(
            f"The certificate of Kafka at {address} {when}; renew it there, or correct the clock "
            "here."
        )
    if error.verify_code in _OTHER_HOST:
        return KafkaRefused(
            f"The certificate of Kafka at {address} is for another host; name the host as the "
            "certificate does in KAFKA_BOOTSTRAP_SERVERS, or set "
            "STEPLOG_KAFKA_SSL_CHECK_HOSTNAME=false."
        )
    source = (
        f"STEPLOG_KAFKA_SSL_CAFILE ({settings.ssl_cafile})"
        if settings.ssl_cafile
        else "what this machine trusts (STEPLOG_KAFKA_SSL_CAFILE is not set)"
    )
    return KafkaRefused(
        f"The certificate of Kafka at {address} is signed by nobody in {source}; name the file "
        "with its authority."
    )


async def _unclear(settings: KafkaSettings, host: str, port: int, error: Exception) -> KafkaProblem:
    """Return what a broker means that closes the connection or says nothing."""
    address = f"{host}:{port}"
    if not await _listens(host, port):
        return unreachable(settings)
    speaks_tls, alert = await _tls_answer(host, port, settings)
    if not settings.uses_tls and speaks_tls:
        wanted = "SASL_SSL" if settings.uses_sasl else "SSL or SASL_SSL"
        return KafkaRefused(
            f"Kafka at {address} speaks TLS and {_PROTOCOL} is {settings.security_protocol}; "
            f"set it to {wanted}."
        )
    if settings.uses_tls and not speaks_tls:
        wanted = "SASL_PLAINTEXT" if settings.uses_sasl else "PLAINTEXT or SASL_PLAINTEXT"
        return KafkaRefused(
            f"Kafka at {address} does not speak TLS and {_PROTOCOL} is "
            f"{settings.security_protocol}; correct the port in KAFKA_BOOTSTRAP_SERVERS, or set "
            f"{_PROTOCOL} to {wanted}."
        )
    if alert:
        return _certificate_refused(settings, address, alert)
    if not settings.uses_sasl and not isinstance(error, TimeoutError):
        wanted = "SASL_SSL" if settings.uses_tls else "SASL_PLAINTEXT"
        return KafkaRefused(
            f"Kafka at {address} closes the connection of a client without a user; set "
            f"{_PROTOCOL} to {wanted}, with a mechanism and a user."
        )
    return unreachable(settings, str(error) or type(error).__name__)


def _certificate_refused(settings: KafkaSettings, address: str, alert: str) -> KafkaRefused:
    if settings.ssl_certfile is None:
        return KafkaRefused(
            f"Kafka at {address} wants a certificate of its clients; set "
            "STEPLOG_KAFKA_SSL_CERTFILE and STEPLOG_KAFKA_SSL_KEYFILE."
        )
    return KafkaRefused(
        f"Kafka at {address} refuses the certificate in {settings.ssl_certfile} ({alert}); show "
        "one that holds today and whose authority the broker trusts."
    )


async def _listens(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            _reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def _tls_answer(host: str, port: int, settings: KafkaSettings) -> tuple[bool, str]:
    """Return whether TLS is spoken there, and the alert it answers our certificate with, or ''."""
    context = security_options(settings).get("ssl_context")
    if context is None:
        # Only whether TLS is spoken is asked; nothing is sent over this connection.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            try:
                # By TLS 1.3 a refusal of our certificate comes with the first answer.
                async with asyncio.timeout(1.0):
                    await reader.read(1)
            except TimeoutError:
                return True, ""
            finally:
                writer.close()
                with suppress(OSError, ssl.SSLError):
                    await writer.wait_closed()
    except ssl.SSLError as error:
        reason = error.reason or ""
        return "ALERT" in reason, _alert_words(reason)
    except (OSError, TimeoutError, EOFError):
        return False, ""
    return True, ""


def _alert_words(reason: str) -> str:
    _before, found, alert = reason.partition("ALERT_")
    return alert.replace("_", " ").lower() if found else ""
