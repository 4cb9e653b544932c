"""The least rights on Kafka that each process needs, and how they are granted (ACLs).

Write on events is the right to say what happened: every reader believes it. So the executor alone
has it, and an importer while it imports. Write on commands is the right to run allowed step code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest

from steplog.errors import ServiceUnreachable
from steplog_contracts.topics import Topics
from steplog_kafka.clients import make_admin
from steplog_kafka.connection import problem_of, start
from steplog_kafka.errors import KafkaProblem
from steplog_kafka.settings import Kafka

# Numbers of Kafka's protocol: AclOperation, ResourceType, PatternType, AclPermissionType.
_OPERATIONS: Final = {
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Describe": 8,
    "DescribeConfigs": 10,
    "AlterConfigs": 11,
}
_RESOURCES: Final = {"topic": 2, "group": 3}
_LITERAL: Final = 3
_ALLOW: Final = 3
_ANY_HOST: Final = "*"


class Role(StrEnum):
    """A process or a person that comes to Kafka under a user of its own."""

    EXECUTOR = "executor"
    TRACKER = "tracker"
    API = "api"
    CLIENT = "client"  # Programs and command lines that send commands.
    READER = "reader"  # `events`, `export`, `verify`, `rebuild`.
    OPERATOR = "operator"  # `topics apply`, `import`, `move`, `commands reset` and `skip`.


@dataclass(frozen=True, slots=True)
class Right:
    """What a role may do with one topic or group."""

    role: Role
    resource: str  # topic or group.
    name: str
    operations: tuple[str, ...]  # Read and Write include Describe.


def rights(topics: Topics, executor_group: str, tracker_group: str) -> list[Right]:
    """Return all rights of one namespace, least for each role."""
    commands, events = topics.commands.name, topics.events.name
    parked, seen = topics.parked.name, topics.seen.name

    def topic(role: Role, name: str, *operations: str) -> Right:
        return Right(role, "topic", name, operations)

    return [
        topic(Role.EXECUTOR, commands, "Read", "DescribeConfigs"),
        topic(Role.EXECUTOR, events, "Read", "Write", "DescribeConfigs"),
        topic(Role.EXECUTOR, parked, "Read", "Write", "DescribeConfigs"),
        topic(Role.EXECUTOR, seen, "Read", "Write", "DescribeConfigs"),
        topic(Role.EXECUTOR, topics.dead_commands.name, "Write", "DescribeConfigs"),
        Right(Role.EXECUTOR, "group", executor_group, ("Read",)),
        topic(Role.TRACKER, events, "Read", "DescribeConfigs"),
        Right(Role.TRACKER, "group", tracker_group, ("Read",)),
        topic(Role.API, events, "Read"),
        topic(Role.API, commands, "Write"),
        topic(Role.CLIENT, commands, "Write"),
        topic(Role.READER, events, "Read"),
        *(
            topic(Role.OPERATOR, one.name, "Create", "Describe", "DescribeConfigs", "AlterConfigs")
            for one in topics
        ),
        topic(Role.OPERATOR, events, "Read", "Write"),
        topic(Role.OPERATOR, commands, "Read", "Write"),
        topic(Role.OPERATOR, seen, "Write"),
        Right(Role.OPERATOR, "group", executor_group, ("Read",)),
    ]


def default_principal(role: Role) -> str:
    """Return the user a role comes as, unless another is named."""
    return f"User:steplog-{role}"


async def grant(kafka: Kafka, wanted: Sequence[Right], principals: Mapping[Role, str]) -> int:
    """Grant rights and return how many entries were made; those there already stay as they are.

    Raises:
        ServiceUnreachable: no broker answers, or it refuses: this takes Alter on the cluster.
    """
    try:
        admin = make_admin(kafka)
        await start(admin, kafka)
        try:
            requests = [
                _request(right, operation, principals.get(right.role))
                for right in wanted
                for operation in right.operations
            ]
            for request in requests:
                await _grant_one(admin, request)
        finally:
            await admin.close()
    except (KafkaError, OSError, KafkaProblem) as error:
        raise ServiceUnreachable(str(await problem_of(error, kafka))) from error
    return len(requests)


def _request(right: Right, operation: str, principal: str | None) -> CreateAclsRequest:
    return CreateAclsRequest(
        _RESOURCES[right.resource],
        right.name,
        _LITERAL,
        principal or default_principal(right.role),
        _ANY_HOST,
        _OPERATIONS[operation],
        _ALLOW,
    )


async def _grant_one(admin: object, request: CreateAclsRequest) -> None:
    answer = await admin._send_request(request)  # type: ignore[attr-defined]
    for code, message in answer.creation_responses:
        if code:
            raise for_code(code)(message)
