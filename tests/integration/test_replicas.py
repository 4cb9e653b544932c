"""How many replicas topics get from each command that makes them, on three real brokers."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from steplog.admin.topics import apply_topics
from steplog_contracts.topics import topics_for
from steplog_kafka.clients import make_admin
from steplog_kafka.settings import local_kafka
from steplog_kafka.topic_state import read_topics
from tests.executor.support import people_steps
from tests.executor.support.partition_harness import linear
from tests.steplog.cli.command_line import Ended, is_one_sentence, steplog
from tests.support.cluster import Cluster, running_cluster

PARTITIONS = 2
pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return three brokers."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def a_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of embedded mode with one execution."""
    folder = tmp_path_factory.mktemp("embedded")
    flow, file = folder / "quick.json", folder / "steplog.db"
    flow.write_text(json.dumps(linear("Quick")))
    told = ("--embedded", "--data", str(file))
    ran = steplog(
        "run", str(flow), "--wait", *told, env={"STEPLOG_STEP_MODULES": people_steps.__name__}
    )
    assert ran.exit_code == 0, ran.err
    return file


async def on(cluster: Cluster, namespace: str, *arguments: str, **variables: str) -> Ended:
    """Run a command on the cluster."""
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.address,
        "STEPLOG_API_URL": "http://127.0.0.1:1",
        "STEPLOG_TOPIC_NAMESPACE": namespace,
        "STEPLOG_PARTITIONS": str(PARTITIONS),
    }
    return await asyncio.to_thread(steplog, *arguments, env=environment | variables)


async def replicas(cluster: Cluster, namespace: str) -> set[int]:
    """Return how many replicas the topics of a namespace have."""
    kafka = local_kafka(cluster.address)
    admin = make_admin(kafka)
    await admin.start()
    try:
        names = [topic.name for topic in topics_for(namespace, PARTITIONS)]
        found = await read_topics(admin, names)
    finally:
        await admin.close()
    assert len(found) == len(names)
    return {one.replication_factor for one in found.values()}


@pytest.mark.parametrize("by", ["option", "setting"])
async def test_topics_are_made_with_as_many_replicas_as_asked_for_and_show_them(
    cluster: Cluster, topic_namespace: str, by: str
) -> None:
    option = ("--replication-factor", "3") if by == "option" else ()
    setting = {} if by == "option" else {"STEPLOG_KAFKA_REPLICATION_FACTOR": "3"}

    made = await on(cluster, topic_namespace, "topics", "apply", "--json", *option, **setting)
    again = await on(cluster, topic_namespace, "topics", "apply", *option, **setting)
    fewer = await on(cluster, topic_namespace, "topics", "apply", "--replication-factor", "2")

    assert made.exit_code == 0, made.err
    assert {one["replication_factor"] for one in json.loads(made.out)} == {3}
    assert "replicas" in again.out
    assert await replicas(cluster, topic_namespace) == {3}
    assert is_one_sentence(fewer), fewer.err
    assert "has replication factor 3, not 2" in fewer.err


async def test_move_and_import_make_topics_with_as_many_replicas_as_asked_for(
    cluster: Cluster, topic_namespace: str, a_file: Path, tmp_path: Path
) -> None:
    archive, copy = tmp_path / "all.jsonl", f"{topic_namespace}-copy"
    two, three = ("--replication-factor", "2"), ("--replication-factor", "3")
    exported = await on(
        cluster, topic_namespace, "export", "--all", "--out", str(archive),
        "--embedded", "--data", str(a_file),
    )  # fmt: skip
    moved = await on(cluster, topic_namespace, "move", "--data", str(a_file), *two)
    imported = await on(
        cluster, topic_namespace, "import", str(archive), "--into-namespace", copy,
        "--partitions", str(PARTITIONS), *three,
    )  # fmt: skip

    for ended in (exported, moved, imported):
        assert ended.exit_code == 0, ended.err
    assert await replicas(cluster, topic_namespace) == {2}
    assert await replicas(cluster, copy) == {3}


async def test_more_replicas_than_brokers_are_refused_in_a_sentence(
    cluster: Cluster, topic_namespace: str
) -> None:
    ended = await on(cluster, topic_namespace, "topics", "apply", "--replication-factor", "4")

    assert is_one_sentence(ended), ended.err
    assert "Kafka refuses to create topic" in ended.err


async def test_topics_there_before_keep_the_brokers_own_number(
    cluster: Cluster, topic_namespace: str
) -> None:
    topics = tuple(topics_for(topic_namespace, PARTITIONS))

    applied = await apply_topics(local_kafka(cluster.address), topics)

    assert {one.replication_factor for one in applied} == {1}
