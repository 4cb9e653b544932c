"""Steps of type `kafka`: one record to an allowed topic, acknowledged before the step completes."""

import json
from typing import Any, Final

from executor_service.errors import RecordRefused
from executor_service.ports.records import RecordSender
from executor_service.steps.http_request import IDEMPOTENCY_HEADER
from executor_service.steps.step import Step
from executor_service.steps.topic_policy import TopicPolicy
from steplog_contracts.envelope import Headers, Record
from steplog_contracts.limits import MAX_RECORD_BYTES
from steplog_contracts.payload import JsonObject, JsonValue

# The service under which a process keeps its way to Kafka, where it has one.
RECORDS: Final = "steplog.records"
MAX_HEADERS: Final = 100


class KafkaRecord(Step):
    """Writes a record and returns `{"record": {"topic", "partition", "offset"}}`."""

    async def run(self, data: Any) -> Any:  # noqa: ARG002 - what is written is in its settings
        """Write the record.

        Raises:
            TopicNotAllowed, RecordRefused: trying again would change nothing.
            RecordNotSent: no broker took it.
        """
        topic = _text("topic", self.config["topic"])
        TopicPolicy.of_environment().check(topic)
        record = record_of(self.config, self.context.idempotency_key)
        sender: RecordSender | None = self.services.get(RECORDS) if self.services else None
        if sender is None:
            raise RecordRefused(
                "This process has no connection to Kafka: run the pipeline with an executor, or in "
                "embedded mode with STEPLOG_KAFKA_BOOTSTRAP_SERVERS set."
            )
        partition, offset = await sender.send(topic, record)
        return {"record": {"topic": topic, "partition": partition, "offset": offset}}


def record_of(settings: JsonObject, idempotency_key: str) -> Record:
    """Return the record that settings, their templates resolved, ask for.

    Raises:
        RecordRefused: it is larger than a record may be, or a part of it can't be sent.
    """
    key = _encoded(_text("key", settings["key"])) if "key" in settings else None
    value: JsonValue = settings.get("value")
    content = _encoded(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    headers: Headers = [(IDEMPOTENCY_HEADER, _encoded(idempotency_key))]
    for name, text in (settings.get("headers") or {}).items():
        if name.lower() == IDEMPOTENCY_HEADER:
            raise RecordRefused(f"The header '{name}' is steplog's own; give yours another name.")
        headers.append((name, _encoded(_text(f"headers.{name[:100]}", text))))
    if len(headers) > MAX_HEADERS:
        raise RecordRefused(f"It has more than {MAX_HEADERS} headers; put them into the value.")
    size = len(key or b"") + len(content)
    size += sum(len(_encoded(name)) + len(text or b"") for name, text in headers)
    if size > MAX_RECORD_BYTES:
        raise RecordRefused(
            f"The record has {size} bytes, and {MAX_RECORD_BYTES} is the most; put what is large "
            "elsewhere, and send where it is."
        )
    return Record(key, content, headers)


def _text(where: str, value: JsonValue) -> str:
    """Return a text or a number as text; what else is no key, header or topic."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    kind = "null" if value is None else f"of type {type(value).__name__}"
    raise RecordRefused(f"'{where}' is {kind}; give a text.")


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise RecordRefused("The record holds text that has no UTF-8 form.") from error
