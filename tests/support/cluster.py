"""A real Kafka of several brokers that a test kills, freezes and starts again, one by one.

Each node is broker and controller, so with three of them one may be away and the rest decides. Ids
are 1, 2, 3, ...; what a test does to a node is undone or ended when the cluster is left.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from steplog.local.child import Child
from steplog.local.kafka import KafkaServer
from steplog.local.ports import LOOPBACK
from steplog_kafka.clients import make_admin
from steplog_kafka.settings import local_kafka

READY_TIMEOUT_S = 120.0
POLL_S = 0.2
ADMIN_TIMEOUT_MS = 3_000
LEADER_POLLS = 150
# A node that says nothing for so long is taken out by the controllers; Kafka's default, made plain.
BROKER_SESSION_MS = 9_000


class Node(KafkaServer):
    """One node of a cluster."""

    def __init__(self, folder: Path, node_id: int, session_ms: int) -> None:
        super().__init__(folder)
        self.node_id, self.session_ms = node_id, session_ms
        self.peers: tuple[Node, ...] = ()
        self.child: Child | None = None

    def settings(self, log_dir: Path) -> dict[str, str]:
        """Return the settings of a node that keeps one of several replicas."""
        copies = str(min(3, len(self.peers)))
        voters = (f"{n.node_id}@{LOOPBACK}:{n.controller_port}" for n in self.peers)
        return {
            **super().settings(log_dir),
            "node.id": str(self.node_id),
            "controller.quorum.voters": ",".join(voters),
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "share.coordinator.state.topic.replication.factor": copies,
            "broker.session.timeout.ms": str(self.session_ms),
        }

    def new_cluster_id(self) -> str:
        """Return one id for all: nodes of different clusters do not speak to each other."""
        return "c3RlcGxvZy1jbHVzdGVyMQ"


class Cluster:
    """Nodes by their ids; use `running_cluster`."""

    def __init__(self, folder: Path, count: int, session_ms: int = BROKER_SESSION_MS) -> None:
        made = tuple(
            Node(folder / f"node-{number}", number, session_ms) for number in range(1, count + 1)
        )
        for node in made:
            node.peers = made
        self.nodes: Mapping[int, Node] = {node.node_id: node for node in made}

    @property
    def address(self) -> str:
        """Return the addresses of all nodes."""
        return ",".join(node.address for node in self.nodes.values())

    def start(self, *node_ids: int) -> None:
        """Start nodes, all of them if none is named, and wait until they answer."""
        chosen = [self.nodes[node_id] for node_id in node_ids or self.nodes]
        for node in chosen:
            node.child = node.start()
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        for node in chosen:
            while not node.is_ready():
                child = node.child
                if child is None or child.exit_code is not None or time.monotonic() > deadline_s:
                    told = child.log_tail() if child is not None else ""
                    raise AssertionError(f"node {node.node_id} does not come up:\n{told}")
                time.sleep(POLL_S)

    def kill(self, node_id: int) -> None:
        """End a node as a power cut would, and wait until it is gone."""
        child = self._child(node_id)
        os.kill(child.pid, signal.SIGKILL)
        while child.exit_code is None:
            time.sleep(0.02)

    def freeze(self, node_id: int) -> None:
        """Let a node say nothing more, its connections open."""
        os.kill(self._child(node_id).pid, signal.SIGSTOP)

    def thaw(self, node_id: int) -> None:
        """Let a frozen node go on."""
        os.kill(self._child(node_id).pid, signal.SIGCONT)

    def stop(self) -> None:
        """End all nodes, frozen ones too."""
        for node_id, node in self.nodes.items():
            if node.child is not None and node.child.exit_code is None:
                self.kill(node_id)

    async def create_topic(
        self, name: str, *, partitions: int = 3, copies: int = 1, **config: str
    ) -> None:
        """Create a topic; settings are Kafka's own with `_` for the dot."""
        settings = {key.replace("_", "."): value for key, value in config.items()}
        topic = NewTopic(name, partitions, copies, topic_configs=settings)
        # A node that has just come up is not yet one that replicas are given to.
        for _ in range(LEADER_POLLS):
            if await self._created(topic) and len(await self.leaders(name)) == partitions:
                return
            await asyncio.sleep(POLL_S)
        raise AssertionError(f"partitions of {name} have no leaders")

    async def _created(self, topic: NewTopic) -> bool:
        answer = await self._told(lambda admin: admin.create_topics([topic]))
        ((_name, code, *_message),) = answer.topic_errors
        return for_code(code) in (NoError, TopicAlreadyExistsError)

    async def leaders(self, topic: str) -> dict[int, int]:
        """Return the node that leads each partition; partitions without one are left out."""
        (told,) = await self._told(lambda admin: admin.describe_topics([topic]))
        found = {one["partition"]: one["leader"] for one in told["partitions"]}
        return {partition: leader for partition, leader in found.items() if leader > 0}

    async def leader(self, topic: str, partition: int = 0) -> int:
        """Return the node that leads a partition, as soon as one does."""
        for _ in range(LEADER_POLLS):
            if found := (await self.leaders(topic)).get(partition):
                return found
            await asyncio.sleep(POLL_S)
        raise AssertionError(f"partition {partition} of {topic} has no leader")

    async def _told(self, ask: Callable[[AIOKafkaAdminClient], Awaitable[Any]]) -> Any:
        """Return an answer; asked again while nodes come and go."""
        last: KafkaError | None = None
        for _ in range(LEADER_POLLS):
            admin = make_admin(local_kafka(self.address), request_timeout_ms=ADMIN_TIMEOUT_MS)
            try:
                await admin.start()
                return await ask(admin)
            except KafkaError as error:
                last = error
                await asyncio.sleep(POLL_S)
            finally:
                await admin.close()
        raise AssertionError(f"no node answers: {last!r}")

    def _child(self, node_id: int) -> Child:
        child = self.nodes[node_id].child
        assert child is not None, f"node {node_id} was not started"
        return child


@contextmanager
def running_cluster(folder: Path, count: int = 3) -> Iterator[Cluster]:
    """Yield a cluster that is up; nothing of it runs afterwards."""
    cluster = Cluster(folder, count)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
