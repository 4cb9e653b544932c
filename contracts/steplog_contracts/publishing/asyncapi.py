"""The AsyncAPI 3 document: channels, operations, messages, headers, Kafka bindings."""

from collections.abc import Iterable

from steplog_contracts.commands import COMMAND_CLASSES, Command
from steplog_contracts.events import EVENT_CLASSES, Event
from steplog_contracts.payload import JsonObject
from steplog_contracts.topics import Topic, topics_for

ASYNCAPI_VERSION = "3.0.0"
API_VERSION = "1.0.0"

_HEADERS: JsonObject = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "description": "uuid5(execution, seq), or the command id."},
        "ce_source": {"type": "string"},
        "ce_type": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string", "description": "The execution id."},
        "ce_partitionkey": {"type": "string", "description": "The record key."},
        "ce_sequence": {"type": "string", "pattern": "^[0-9]{10}$"},
        "ce_correlationid": {"type": "string", "description": "Command that began it all."},
        "ce_causationid": {"type": "string", "description": "Command that led to this event."},
        "ce_commandoffset": {"type": "string", "description": "Where that command stands."},
        "ce_writerepoch": {"type": "string", "description": "Offset of the writer's claim."},
        "traceparent": {"type": "string"},
    },
}


def asyncapi_document() -> JsonObject:
    """Return the document; messages refer to the committed JSON Schemas."""
    topics = topics_for()
    commands = {cls.command_type: cls for cls in COMMAND_CLASSES}
    events = {cls.event_type: cls for cls in EVENT_CLASSES}
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "steplog",
            "version": API_VERSION,
            "description": "Commands in, events out. CloudEvents 1.0, Kafka binary mode.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "commands": _channel(topics.commands, commands),
            "events": _channel(topics.events, events),
        },
        "operations": {
            "receiveCommands": _operation("receive", "commands", commands),
            "sendEvents": _operation("send", "events", events),
        },
        "components": {
            "messages": {
                _key(name): _message(name, cls) for name, cls in (commands | events).items()
            }
        },
    }


def _channel(topic: Topic, types: Iterable[str]) -> JsonObject:
    return {
        "address": topic.name,
        "description": f"Keyed by {topic.key}; carries {topic.carries}.",
        "messages": {_key(name): {"$ref": f"#/components/messages/{_key(name)}"} for name in types},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": _topic_configuration(topic),
            }
        },
    }


def _topic_configuration(topic: Topic) -> JsonObject:
    return {
        name: value.split(",") if name == "cleanup.policy" else int(value)
        for name, value in topic.config.items()
    }


def _operation(action: str, channel: str, types: Iterable[str]) -> JsonObject:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{_key(name)}"} for name in types],
    }


def _message(name: str, cls: type[Event] | type[Command]) -> JsonObject:
    return {
        "name": name,
        "title": cls.__name__,
        "summary": (cls.__doc__ or "").partition("\n")[0],
        "headers": _HEADERS,
        "payload": {"$ref": f"./schemas/{name}.json"},
        "bindings": {"kafka": {"key": {"type": "string"}}},
    }


def _key(name: str) -> str:
    # Component names may not hold dots everywhere tools look them up.
    return name.replace(".", "_")
