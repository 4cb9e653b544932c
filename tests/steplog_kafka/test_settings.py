"""Settings of the connection: from the environment, consistent, and without showing a secret."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from steplog_kafka.clients import security_options
from steplog_kafka.errors import WrongKafkaSettings
from steplog_kafka.secret_values import secret_value
from steplog_kafka.settings import KafkaSettings, kafka_settings, local_kafka
from tests.steplog_kafka.certificates import Authority

SECRET = "s3cret-nobody-sees"
SASL = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN"}
USER = {**SASL, "SASL_USERNAME": "u", "SASL_PASSWORD": SECRET}
OAUTH = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "OAUTHBEARER"}
ISSUER = {**OAUTH, "SASL_OAUTH_TOKEN_URL": "https://issuer.example/token"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return an environment without any setting of the connection."""
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    return monkeypatch


def given(environment: pytest.MonkeyPatch, settings: dict[str, str]) -> KafkaSettings:
    """Return the settings under these variables."""
    for name, value in settings.items():
        environment.setenv(f"STEPLOG_KAFKA_{name}", value)
    return kafka_settings()


def test_nothing_set_means_a_plain_broker_here(environment: pytest.MonkeyPatch) -> None:
    settings = kafka_settings()

    assert settings.servers == ["127.0.0.1:9092"]
    assert security_options(settings) == {"security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize("name", ["STEPLOG_KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"])
def test_addresses_may_stand_apart(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, " a:1, b:2 ,[::1]:3")

    assert kafka_settings().servers == ["a:1", "b:2", "[::1]:3"]


def test_an_address_alone_takes_all_else_from_the_environment(
    environment: pytest.MonkeyPatch,
) -> None:
    for name, value in USER.items():
        environment.setenv(f"STEPLOG_KAFKA_{name}", value)

    settings = kafka_settings("other:9093")

    assert settings.servers == ["other:9093"]
    assert settings.sasl_username == "u"


def test_a_broker_started_here_is_plain_whatever_the_environment_says(
    environment: pytest.MonkeyPatch,
) -> None:
    given(environment, USER)

    assert security_options(local_kafka("127.0.0.1:1")) == {"security_protocol": "PLAINTEXT"}


def test_an_empty_variable_is_none(environment: pytest.MonkeyPatch) -> None:
    assert given(environment, {"SASL_MECHANISM": "", "SSL_CAFILE": ""}).sasl_mechanism is None


def test_a_protocol_may_be_written_small(environment: pytest.MonkeyPatch) -> None:
    settings = given(environment, USER | {"SECURITY_PROTOCOL": "sasl_ssl"})

    assert settings.security_protocol == "SASL_SSL"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"SECURITY_PROTOCOL": "TLS"}, "STEPLOG_KAFKA_SECURITY_PROTOCOL is wrong"),
        ({"BOOTSTRAP_SERVERS": "a:b:c"}, "is no list of HOST:PORT"),
        ({"BOOTSTRAP_SERVERS": "kafka://a:1"}, "is no list of HOST:PORT"),
        ({"BOOTSTRAP_SERVERS": ","}, "is no list of HOST:PORT"),
        ({"BOOTSTRAP_SERVERS": "a:99999"}, "is no list of HOST:PORT"),
        ({"REQUEST_TIMEOUT_MS": "5"}, "STEPLOG_KAFKA_REQUEST_TIMEOUT_MS is wrong"),
        ({"SECURTY_PROTOCOL": "SSL"}, "did you mean STEPLOG_KAFKA_SECURITY_PROTOCOL?"),
        ({"XYZ": "1"}, "There is no setting STEPLOG_KAFKA_XYZ"),
        ({"SASL_USERNAME": "u"}, "set STEPLOG_KAFKA_SECURITY_PROTOCOL to SASL_SSL"),
        ({"SASL_PASSWORD": SECRET}, "set STEPLOG_KAFKA_SECURITY_PROTOCOL to SASL_SSL"),
        ({"SSL_CHECK_HOSTNAME": "false"}, "which is not encrypted"),
        ({**USER, "SECURITY_PROTOCOL": "SSL"}, "which knows no user"),
        ({"SECURITY_PROTOCOL": "SASL_SSL"}, "STEPLOG_KAFKA_SASL_MECHANISM is not set"),
        ({**SASL, "SASL_MECHANISM": "GSSAPI"}, "STEPLOG_KAFKA_SASL_MECHANISM is wrong"),
        (SASL, "PLAIN needs a user; set STEPLOG_KAFKA_SASL_USERNAME"),
        ({**SASL, "SASL_USERNAME": "u"}, "PLAIN needs a password"),
        ({**USER, "SASL_PASSWORD_FILE": __file__}, "are both set; leave one out"),
        ({**USER, "SASL_OAUTH_SCOPE": "x"}, "set the mechanism to OAUTHBEARER"),
        (OAUTH, "OAUTHBEARER needs a token"),
        ({**OAUTH, "SASL_PASSWORD": SECRET}, "which takes a token; leave it out"),
        (ISSUER, "needs STEPLOG_KAFKA_SASL_OAUTH_CLIENT_ID"),
        ({**ISSUER, "SASL_OAUTH_CLIENT_ID": "c"}, "SASL_OAUTH_CLIENT_SECRET_FILE or"),
        ({**ISSUER, "SASL_OAUTH_TOKEN_FILE": __file__}, "are both set; leave one out"),
        ({**OAUTH, "SASL_OAUTH_TOKEN_URL": "ftp://x"}, "SASL_OAUTH_TOKEN_URL is wrong"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_KEYFILE": __file__}, "set without STEPLOG_KAFKA_SSL_CE"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_CAFILE": "/no/ca"}, "names /no/ca, and there is no"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_can_not_be_used_is_one_sentence_without_the_secret(
    environment: pytest.MonkeyPatch, settings: dict[str, str], sentence: str
) -> None:
    with pytest.raises(WrongKafkaSettings) as refused:
        given(environment, settings)

    told = str(refused.value)
    assert sentence in told
    assert SECRET not in told
    assert told.endswith((".", "?"))
    assert "\n" not in told


def test_a_secret_is_not_in_what_settings_look_like(environment: pytest.MonkeyPatch) -> None:
    settings = given(environment, USER)

    assert (
        SECRET
        not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    )
    assert security_options(settings)["sasl_plain_password"] == SECRET


def test_a_password_that_changes_in_its_file_is_taken(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("before\r\n")
    settings = given(environment, {**SASL, "SASL_USERNAME": "u", "SASL_PASSWORD_FILE": str(file)})
    before = security_options(settings)["sasl_plain_password"]

    file.write_text(" after \n")

    assert (before, security_options(settings)["sasl_plain_password"]) == ("before", " after ")


def test_an_empty_password_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("\n")

    with pytest.raises(WrongKafkaSettings, match="is empty; write the secret into it"):
        secret_value(None, tmp_path / "password")


def test_a_file_that_holds_no_authority_is_refused(environment: pytest.MonkeyPatch) -> None:
    settings = given(environment, {"SECURITY_PROTOCOL": "SSL", "SSL_CAFILE": __file__})

    with pytest.raises(WrongKafkaSettings, match="holds no certificates in PEM form"):
        security_options(settings)


@pytest.mark.parametrize("password", [None, "another"])
def test_a_key_whose_password_is_wrong_is_refused(
    environment: pytest.MonkeyPatch, tmp_path: Path, password: str | None
) -> None:
    """Without one OpenSSL would ask at the terminal, and a service would wait there for ever."""
    own = Authority(tmp_path).issue("own", password="right")
    tls = {
        "SECURITY_PROTOCOL": "SSL",
        "SSL_CERTFILE": str(own.certificate),
        "SSL_KEYFILE": str(own.key),
    }
    settings = given(environment, tls | ({"SSL_KEY_PASSWORD": password} if password else {}))

    with pytest.raises(WrongKafkaSettings, match="STEPLOG_KAFKA_SSL_KEY_PASSWORD_FILE"):
        security_options(settings)


def test_a_key_of_another_certificate_is_refused(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    one, other = authority.issue("one"), authority.issue("other")
    tls = {"SSL_CERTFILE": str(one.certificate), "SSL_KEYFILE": str(other.key)}
    settings = given(environment, {"SECURITY_PROTOCOL": "SSL", **tls})

    with pytest.raises(WrongKafkaSettings, match="belong to each other"):
        security_options(settings)


def test_settings_in_code_count_before_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("STEPLOG_KAFKA_CLIENT_ID", "of-the-environment")

    made = kafka_settings("kafka.example:9093", security_protocol="SSL", client_id="etl")

    assert (made.servers, made.client_id) == (["kafka.example:9093"], "etl")
    assert kafka_settings(made) is made


@pytest.mark.parametrize("name", ["sasl_user", "security_protcol", "ssl_verify"])
def test_a_name_in_code_that_means_nothing_is_refused(
    environment: pytest.MonkeyPatch, name: str
) -> None:
    """Passed over, it would leave a connection open that was meant to be secured."""
    with pytest.raises(WrongKafkaSettings, match=f"no setting STEPLOG_KAFKA_{name.upper()};"):
        kafka_settings("h:1", **{name: "x"})
    with pytest.raises(ValidationError):
        KafkaSettings(**{name: "x"})


def test_settings_that_are_made_take_no_others(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongKafkaSettings, match="make new ones"):
        kafka_settings(kafka_settings("h:1"), client_id="etl")
