"""A real broker that lets nobody in without TLS or a user, and gives nobody a right by itself.

One broker has a port for each way in; `PLAINTEXT` is its own, and who comes there may do all.
"""

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path

from steplog.local.kafka import KafkaServer
from steplog.local.ports import LOOPBACK, free_ports
from steplog_kafka.settings import KafkaSettings
from tests.steplog_kafka.certificates import DAY, Authority

PASSWORD = "p4ss word=,;'1"
_LOGIN = "org.apache.kafka.common.security"
WAYS_IN = ("SSL", "MTLS", "SASL_SSL", "SASL_PLAINTEXT", "EXPIRED")
_PROTOCOLS = {"MTLS": "SSL", "EXPIRED": "SSL"}
# Who may come in by a password, with either mechanism.
USERS = ("executor", "tracker", "api", "client", "operator", "nobody")
_ANYBODY_INSIDE = "User:ANONYMOUS"


class SecuredKafka(KafkaServer):
    """The local broker with users, certificates and rights."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.authority = Authority(folder / "authority")
        self.ports = dict(zip(WAYS_IN, free_ports(len(WAYS_IN)), strict=True))

    def settings(self, log_dir: Path) -> dict[str, str]:
        """Return the broker's settings."""
        plain = super().settings(log_dir)
        listeners = "".join(f",{way}://{LOOPBACK}:{port}" for way, port in self.ports.items())
        protocols = "".join(f",{way}:{_PROTOCOLS.get(way, way)}" for way in WAYS_IN)
        return {
            **plain,
            "listeners": plain["listeners"] + listeners,
            "advertised.listeners": plain["advertised.listeners"] + listeners,
            "listener.security.protocol.map": plain["listener.security.protocol.map"] + protocols,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": _ANYBODY_INSIDE,
            "ssl.principal.mapping.rules": "RULE:^CN=(.*?)$/$1/,DEFAULT",
            **self._certificates(),
            **_logins("sasl_ssl"),
            **_logins("sasl_plaintext"),
        }

    def format_options(self) -> tuple[str, ...]:
        """Return the users that SCRAM knows."""
        options: list[str] = []
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            for user in USERS:
                scram = f'{mechanism}=[name={user},password="{scram_password(user)}"]'
                options += ["--add-scram", scram]
        return tuple(options)

    def way_in(self, way: str, **settings: object) -> KafkaSettings:
        """Return settings for one of the ports."""
        protocol = _PROTOCOLS.get(way, way)
        tls: Mapping[str, object] = (
            {"ssl_cafile": self.authority.file} if protocol.endswith("SSL") else {}
        )
        given = {"security_protocol": protocol, **tls, **settings}
        return KafkaSettings(bootstrap_servers=f"{LOOPBACK}:{self.ports[way]}", **given)  # type: ignore[arg-type]

    def _certificates(self) -> dict[str, str]:
        own = self.authority.issue("broker")
        old = self.authority.issue("old-broker", valid=(-2 * DAY, -DAY / 2))
        keys = {}
        for way, certified in {"": own, "listener.name.expired.": old}.items():
            store = certified.certificate.with_suffix(".store.pem")
            store.write_text(certified.pem)
            keys |= {
                f"{way}ssl.keystore.type": "PEM",
                f"{way}ssl.keystore.location": str(store),
            }
        return keys | {
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "listener.name.mtls.ssl.client.auth": "required",
        }


def scram_password(user: str) -> str:
    """Return a user's password; formatting the storage takes it apart at commas and brackets."""
    return f"secret of {user}"


def unsigned_token(user: str, lifetime_s: float = 3600.0) -> str:
    """Return a token that a broker takes which checks no signatures (JWT, alg none)."""
    now = time.time()
    claims = {"sub": user, "iat": now - 1, "exp": now + lifetime_s}
    return ".".join((_part({"alg": "none"}), _part(claims), ""))


def _part(value: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _logins(listener: str) -> dict[str, str]:
    users = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
    logins = {
        "plain": f"{_LOGIN}.plain.PlainLoginModule required {users};",
        "scram-sha-256": f"{_LOGIN}.scram.ScramLoginModule required;",
        "scram-sha-512": f"{_LOGIN}.scram.ScramLoginModule required;",
        "oauthbearer": (
            f"{_LOGIN}.oauthbearer.OAuthBearerLoginModule required "
            'unsecuredLoginStringClaim_sub="broker";'
        ),
    }
    named = {
        f"listener.name.{listener}.{mechanism}.sasl.jaas.config": login
        for mechanism, login in logins.items()
    }
    mechanisms = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"
    return {f"listener.name.{listener}.sasl.enabled.mechanisms": mechanisms, **named}
