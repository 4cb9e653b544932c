"""Each way into a secured broker lets the right client in and says what is wrong with others."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
from aiokafka.client import AIOKafkaClient

from steplog.admin.access_rights import Role
from steplog.local.ports import LOOPBACK
from steplog_kafka.clients import make_admin, make_client, make_consumer, make_producer
from steplog_kafka.connection import close, start
from steplog_kafka.errors import KafkaRefused, KafkaUnreachable
from steplog_kafka.settings import KafkaSettings, local_kafka
from tests.steplog_kafka.certificates import DAY, Authority
from tests.steplog_kafka.secured_broker import (
    PASSWORD,
    SecuredKafka,
    scram_password,
    unsigned_token,
)
from tests.steplog_kafka.secured_pair import SecuredPair

# Far more than any of them takes, and far less than a client's patience of minutes.
REFUSED_WITHIN_S = 60.0
WRONG = "wr0ng-s3cret"


async def gets_in(settings: KafkaSettings) -> bool:
    """Return whether a client with the settings is answered."""
    admin = make_admin(settings)
    await start(admin, settings)
    await admin.list_topics()
    await close(admin)
    return True


async def refusal(settings: KafkaSettings) -> str:
    """Return the sentence with which a client is kept out, in bounded time."""
    begun_s = monotonic()
    with pytest.raises((KafkaRefused, KafkaUnreachable)) as refused:
        await gets_in(settings)
    sentence = str(refused.value)

    assert monotonic() - begun_s < REFUSED_WITHIN_S
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert PASSWORD not in sentence
    assert WRONG not in sentence
    return sentence


async def test_a_client_that_knows_the_authority_gets_in_by_tls(secured: SecuredKafka) -> None:
    assert await gets_in(secured.way_in("SSL"))


@pytest.mark.parametrize("make", [make_producer, make_consumer, make_client])
async def test_every_kind_of_client_gets_in(
    pair: SecuredPair, make: Callable[[KafkaSettings], AIOKafkaClient]
) -> None:
    """Whoever may write to some topic may write without repeats, which the producer asks for."""
    await pair.grant(Role.CLIENT)
    secured = pair.secured
    settings = secured.way_in(
        "SASL_SSL", sasl_mechanism="PLAIN", sasl_username="client", sasl_password=PASSWORD
    )
    client = make(settings)

    await start(client, settings)

    await close(client)


async def test_a_client_with_a_certificate_gets_in(secured: SecuredKafka) -> None:
    own = secured.authority.issue("in")
    settings = secured.way_in("MTLS", ssl_certfile=own.certificate, ssl_keyfile=own.key)

    assert await gets_in(settings)


async def test_an_encrypted_key_is_read_with_its_password(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    own = secured.authority.issue("locked", password="of the key")
    (tmp_path / "password").write_text("of the key\n")
    settings = secured.way_in(
        "MTLS",
        ssl_certfile=own.certificate,
        ssl_keyfile=own.key,
        ssl_key_password_file=tmp_path / "password",
    )

    assert await gets_in(settings)


@pytest.mark.parametrize("way", ["SASL_SSL", "SASL_PLAINTEXT"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_user_with_the_password_gets_in(
    secured: SecuredKafka, way: str, mechanism: str, tmp_path: Path
) -> None:
    password = PASSWORD if mechanism == "PLAIN" else scram_password("client")
    (tmp_path / "password").write_text(password + "\n")
    settings = secured.way_in(
        way,
        sasl_mechanism=mechanism,
        sasl_username="client",
        sasl_password_file=tmp_path / "password",
    )

    assert await gets_in(settings)


async def test_a_token_in_a_file_lets_its_bearer_in(secured: SecuredKafka, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(unsigned_token("client") + "\n")
    settings = secured.way_in(
        "SASL_SSL", sasl_mechanism="OAUTHBEARER", sasl_oauth_token_file=tmp_path / "token"
    )

    assert await gets_in(settings)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_wrong_password_is_said_without_it(secured: SecuredKafka, mechanism: str) -> None:
    settings = secured.way_in(
        "SASL_SSL", sasl_mechanism=mechanism, sasl_username="client", sasl_password=WRONG
    )

    assert "does not let the user 'client' in" in await refusal(settings)


async def test_a_token_that_has_expired_is_refused(secured: SecuredKafka, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(unsigned_token("client", lifetime_s=-600))
    settings = secured.way_in(
        "SASL_SSL", sasl_mechanism="OAUTHBEARER", sasl_oauth_token_file=tmp_path / "token"
    )

    assert "does not let the user of the token in" in await refusal(settings)


async def test_a_broker_signed_by_another_authority_is_not_trusted(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    other = Authority(tmp_path)

    told = await refusal(secured.way_in("SSL", ssl_cafile=other.file))

    assert f"signed by nobody in STEPLOG_KAFKA_SSL_CAFILE ({other.file})" in told


async def test_a_broker_is_not_trusted_where_no_authority_is_named(secured: SecuredKafka) -> None:
    told = await refusal(secured.way_in("SSL", ssl_cafile=None))

    assert "STEPLOG_KAFKA_SSL_CAFILE is not set" in told


async def test_a_brokers_expired_certificate_is_said(secured: SecuredKafka) -> None:
    assert "has expired" in await refusal(secured.way_in("EXPIRED"))


async def test_a_missing_client_certificate_is_said(secured: SecuredKafka) -> None:
    told = await refusal(secured.way_in("MTLS"))

    assert "wants a certificate of its clients; set STEPLOG_KAFKA_SSL_CERTFILE" in told


async def test_a_clients_expired_certificate_is_said(secured: SecuredKafka) -> None:
    old = secured.authority.issue("old", valid=(-2 * DAY, -DAY / 2))
    settings = secured.way_in("MTLS", ssl_certfile=old.certificate, ssl_keyfile=old.key)

    assert f"refuses the certificate in {old.certificate}" in await refusal(settings)


async def test_a_client_certificate_of_another_authority_is_refused(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    strange = Authority(tmp_path).issue("strange")
    settings = secured.way_in("MTLS", ssl_certfile=strange.certificate, ssl_keyfile=strange.key)

    assert f"refuses the certificate in {strange.certificate}" in await refusal(settings)


async def test_a_plain_client_is_told_of_tls(secured: SecuredKafka) -> None:
    told = await refusal(local_kafka(f"{LOOPBACK}:{secured.ports['SSL']}"))

    assert "speaks TLS and STEPLOG_KAFKA_SECURITY_PROTOCOL is PLAINTEXT" in told


async def test_a_client_with_tls_is_told_of_a_plain_port(secured: SecuredKafka) -> None:
    settings = KafkaSettings(
        bootstrap_servers=secured.address,
        security_protocol="SSL",
        ssl_cafile=secured.authority.file,
    )

    assert "does not speak TLS" in await refusal(settings)


async def test_a_plain_client_is_told_to_name_a_user(secured: SecuredKafka) -> None:
    told = await refusal(local_kafka(f"{LOOPBACK}:{secured.ports['SASL_PLAINTEXT']}"))

    assert "set STEPLOG_KAFKA_SECURITY_PROTOCOL to SASL_PLAINTEXT, with a mechanism" in told


async def test_a_client_with_tls_alone_is_told_to_name_a_user(secured: SecuredKafka) -> None:
    settings = KafkaSettings(
        bootstrap_servers=f"{LOOPBACK}:{secured.ports['SASL_SSL']}",
        security_protocol="SSL",
        ssl_cafile=secured.authority.file,
    )

    told = await refusal(settings)

    assert "set STEPLOG_KAFKA_SECURITY_PROTOCOL to SASL_SSL, with a mechanism" in told


async def test_a_host_that_does_not_exist_is_said() -> None:
    told = await refusal(local_kafka("no-such-host.invalid:9092"))

    assert "there is no host no-such-host.invalid" in told


async def test_a_port_where_nothing_listens_is_said() -> None:
    told = await refusal(local_kafka("127.0.0.1:1"))

    assert told == (
        "Kafka does not answer at 127.0.0.1:1; start it there or correct KAFKA_BOOTSTRAP_SERVERS."
    )
