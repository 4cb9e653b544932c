"""Steps of type `kafka`: what they write, to which topics, and what they refuse."""

import asyncio
import json
from typing import Any

import pytest

from executor_service import Allowlist, RunFailed, ServiceRegistry
from executor_service.adapters.kafka.step_records import KafkaRecordSender, sender_of_environment
from executor_service.errors import DefinitionRefused, RecordNotSent, RecordRefused, TopicNotAllowed
from executor_service.library.runner import create_pipeline_from_json
from executor_service.ports.records import Written
from executor_service.steps.kafka_record import RECORDS
from executor_service.steps.topic_policy import TopicPolicy
from steplog_contracts.envelope import Record
from steplog_contracts.limits import MAX_RECORD_BYTES
from steplog_kafka.settings import KafkaSettings


class FakeTopics:
    """Takes records, after some refusals."""

    def __init__(self, *refusals: Exception, silent: bool = False) -> None:
        self.refusals = list(refusals)
        self.silent = silent
        self.written: list[tuple[str, Record]] = []

    async def send(self, topic: str, record: Record) -> Written:
        """Take a record, or raise."""
        if self.silent:
            await asyncio.sleep(3600)
        if self.refusals:
            raise self.refusals.pop(0)
        self.written.append((topic, record))
        return Written(3, len(self.written) - 1)

    async def aclose(self) -> None:
        """Close nothing."""


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPLOG_STEP_TOPICS", "orders.paid, audit.*, steplog.*, __consumer_offsets")


async def written(topics: FakeTopics | None, given: Any = None, **settings: Any) -> Any:
    """Run one kafka step and return its result."""
    step = {"id": "tell", "type": "kafka", "topic": "orders.paid", "value": 1, **settings}
    definition = {"name": "p", "steps": [step], "flow": {"start_at": "tell"}}
    services = None if topics is None else ServiceRegistry(**{RECORDS: topics})
    pipeline = create_pipeline_from_json(definition, allowlist=Allowlist(), services=services)
    return (await pipeline.run(given, execution_id="e-1"))["output"]["record"]


async def test_a_record_has_key_value_headers_and_the_visits_key() -> None:
    topics = FakeTopics()

    result = await written(
        topics, {"id": 7, "who": "Ünal"}, key="{{ id }}", headers={"by": "{{ who }}"},
        value={"to": "{{ who }}", "n": ["{{ id }}"]},
    )  # fmt: skip

    [(topic, record)] = topics.written
    assert result == {"topic": topic, "partition": 3, "offset": 0}
    assert (topic, record.key) == ("orders.paid", b"7")
    assert json.loads(record.value or b"") == {"to": "Ünal", "n": [7]}
    assert record.headers == [("idempotency-key", b"e-1:tell:1"), ("by", "Ünal".encode())]


@pytest.mark.parametrize(
    ("value", "content"), [("plain", b"plain"), (None, b"null"), (True, b"true"), ([], b"[]")]
)
async def test_a_text_is_sent_as_it_is_and_anything_else_as_json(
    value: Any, content: bytes
) -> None:
    topics = FakeTopics()

    await written(topics, value=value)

    assert topics.written[0][1] == Record(None, content, [("idempotency-key", b"e-1:tell:1")])


@pytest.mark.parametrize(
    "topic",
    ["steplog.commands", "steplog.events", "steplog.parked", "steplog.seen",
     "steplog.commands.dead", "steplog.anything", "__consumer_offsets"],
)  # fmt: skip
def test_steplogs_and_the_brokers_own_topics_are_refused_whatever_the_setting_says(
    topic: str,
) -> None:
    with pytest.raises(TopicNotAllowed, match="own, and no step writes there"):
        TopicPolicy("steplog.*, __consumer_offsets").check(topic)


def test_own_topics_are_those_of_the_namespace_that_is_set() -> None:
    with pytest.raises(TopicNotAllowed, match="own"):
        TopicPolicy("mine.*", "mine").check("mine.events")


@pytest.mark.parametrize("topic", ["orders.paid.x", "audit", "auditx", "Orders.paid", "*"])
def test_a_topic_that_no_entry_names_is_refused(topic: str) -> None:
    with pytest.raises(RecordRefused if topic == "*" else TopicNotAllowed):
        TopicPolicy("orders.paid, audit.*").check(topic)


def test_without_the_setting_no_topic_is_allowed() -> None:
    with pytest.raises(TopicNotAllowed, match="add it to STEPLOG_STEP_TOPICS"):
        TopicPolicy().check("orders")


@pytest.mark.parametrize("topic", ["", "a b", "x/y", "ü", "..", "t" * 250, "a\n", "t\x00"])
def test_what_is_no_topics_name_is_refused_by_check(topic: str) -> None:
    step = {"id": "tell", "type": "kafka", "topic": topic, "value": 1}
    definition = {"name": "p", "steps": [step], "flow": {"start_at": "tell"}}

    with pytest.raises(DefinitionRefused, match=r"steps\[0\].topic"):
        create_pipeline_from_json(definition, allowlist=Allowlist())


@pytest.mark.parametrize(
    ("settings", "failure"),
    [
        ({"topic": "{{ steps }}"}, "'topic' is of type dict"),
        ({"topic": "a {{ n }}"}, "can't be the name of a topic"),
        ({"topic": "steplog.{{ n }}"}, "no step writes there"),
        ({"key": "{{ nothing }}"}, "'key' is null"),
        ({"key": "{{ steps }}"}, "'key' is of type dict"),
        ({"headers": {"a": {}}}, r"'headers.a' is of type dict"),
        ({"headers": {"Idempotency-Key": "x"}}, "steplog's own"),
        ({"headers": {f"h{n}": "x" for n in range(101)}}, "more than 100 headers"),
        ({"value": "{{ big }}"}, f"{MAX_RECORD_BYTES} is the most"),
        ({"key": "{{ big }}"}, f"{MAX_RECORD_BYTES} is the most"),
        ({"headers": {"h": "{{ big }}"}}, f"{MAX_RECORD_BYTES} is the most"),
    ],
)
async def test_what_can_not_be_sent_fails_the_step_and_is_never_tried_again(
    settings: dict[str, Any], failure: str
) -> None:
    topics = FakeTopics()
    given = {"n": "events", "nothing": None, "steps": {}, "big": "x" * (MAX_RECORD_BYTES + 1)}
    retry = {"retry": {"max_attempts": 3, "initial_delay": 0}}

    with pytest.raises(RunFailed, match=failure) as failed:
        await written(topics, given, error_handling=retry, **settings)

    assert topics.written == []
    assert failed.value.error.attempt == 1


async def test_a_record_that_was_not_taken_is_sent_again_with_the_same_key() -> None:
    topics = FakeTopics(RecordNotSent("away"), RecordNotSent("away"))

    await written(topics, error_handling={"retry": {"max_attempts": 3, "initial_delay": 0}})

    assert [record.headers[0][1] for _, record in topics.written] == [b"e-1:tell:1"]


async def test_a_broker_that_never_answers_fails_the_attempt_by_its_limit() -> None:
    with pytest.raises(RunFailed, match="StepTimedOut"):
        await written(FakeTopics(silent=True), error_handling={"timeout_seconds": 0.02})


async def test_without_a_way_to_kafka_the_step_says_so() -> None:
    with pytest.raises(RunFailed, match="no connection to Kafka: run the pipeline with an exec"):
        await written(None)


async def test_embedded_mode_has_a_way_where_a_broker_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert sender_of_environment() is None

    monkeypatch.setenv("STEPLOG_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert sender_of_environment() is not None


async def test_a_broker_that_is_not_there_is_told_and_the_sender_can_be_closed() -> None:
    kafka = KafkaSettings(bootstrap_servers="127.0.0.1:1", request_timeout_ms=1000)
    sender = KafkaRecordSender(kafka)

    with pytest.raises(RecordNotSent, match=r"127\.0\.0\.1:1"):
        await sender.send("orders", Record(None, b"1", []))

    await sender.aclose()


async def test_wrong_settings_of_the_connection_are_told_when_a_record_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STEPLOG_KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")

    with pytest.raises(RecordRefused, match="STEPLOG_KAFKA_SASL"):
        await KafkaRecordSender().send("orders", Record(None, b"1", []))
