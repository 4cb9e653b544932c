"""The services of a namespace on the secured broker, each under a user of its own."""

import asyncio

from steplog.admin.access_rights import Role, grant, rights
from steplog_contracts.topics import topics_for
from steplog_kafka.settings import local_kafka
from tests.services import Services
from tests.steplog.cli.command_line import Ended, steplog
from tests.steplog_kafka.secured_broker import (
    PASSWORD,
    SecuredKafka,
    scram_password,
    unsigned_token,
)

PRINCIPALS = {role: f"User:{role}" for role in Role}


class SecuredPair:
    """The services of one namespace, each as a user of its own that comes in another way."""

    def __init__(self, secured: SecuredKafka, services: Services) -> None:
        self.secured = secured
        self.services = services
        self.topics = services.topics
        own = secured.authority.issue("tracker")
        (services.folder / "token").write_text(unsigned_token("api"))
        (services.folder / "password").write_text(scram_password("executor") + "\n")
        self.tracker = self._way(
            "MTLS", SSL_CERTFILE=str(own.certificate), SSL_KEYFILE=str(own.key)
        )
        self.executor = self._way(
            "SASL_SSL",
            SASL_MECHANISM="SCRAM-SHA-512",
            SASL_USERNAME="executor",
            SASL_PASSWORD_FILE=str(services.folder / "password"),
        )
        self.api = self._way(
            "SASL_SSL",
            SASL_MECHANISM="OAUTHBEARER",
            SASL_OAUTH_TOKEN_FILE=str(services.folder / "token"),
        )

    def by_password(self, user: str) -> dict[str, str]:
        """Return the environment of a user that comes by password."""
        return self._way(
            "SASL_SSL", SASL_MECHANISM="PLAIN", SASL_USERNAME=user, SASL_PASSWORD=PASSWORD
        )

    def command_line(self, user: str, *arguments: str, **variables: str) -> Ended:
        """Run `steplog` as a user."""
        environment = self.by_password(user) | {
            "STEPLOG_TOPIC_NAMESPACE": self.services.namespace,
            "STEPLOG_PARTITIONS": str(self.services.partitions),
            "STEPLOG_API_URL": "http://127.0.0.1:1",
        }
        return steplog(*arguments, env=environment | variables)

    async def grant(
        self, *roles: Role, namespace: str | None = None, to: str | None = None
    ) -> None:
        """Grant the rights of the roles in a namespace, by somebody inside; all to one if named."""
        namespace = namespace or self.services.namespace
        topics = topics_for(namespace, self.services.partitions)
        wanted = rights(topics, f"{namespace}.executor", f"{namespace}.tracker")
        users = PRINCIPALS if to is None else dict.fromkeys(Role, f"User:{to}")
        listed = [right for right in wanted if right.role in roles]
        await grant(local_kafka(self.secured.address), listed, users)

    async def make_topics(self) -> None:
        """Make the topics as the operator, with the rights of one and no others."""
        await self.grant(Role.OPERATOR)
        ended = await asyncio.to_thread(self.command_line, "operator", "topics", "apply")
        assert ended.exit_code == 0, ended.err

    def _way(self, way: str, **settings: str) -> dict[str, str]:
        protocol = "SSL" if way == "MTLS" else way
        given = {
            "BOOTSTRAP_SERVERS": f"127.0.0.1:{self.secured.ports[way]}",
            "SECURITY_PROTOCOL": protocol,
            "SSL_CAFILE": str(self.secured.authority.file),
            **settings,
        }
        return {f"STEPLOG_KAFKA_{name}": value for name, value in given.items()}
