"""Which topics a definition may write to: none, unless a setting names them, and never ours.

A definition may arrive over the network, and whoever can write commands or events can do anything
here. So steplog's own topics are refused whatever the setting says, and so are the broker's.
"""

import re
from typing import Final

from pydantic_settings import BaseSettings, SettingsConfigDict

from executor_service.errors import RecordRefused, TopicNotAllowed
from steplog_contracts.topics import DEFAULT_NAMESPACE

# What Kafka takes as a topic's name.
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_BROKERS_OWN: Final = "__"
_WILDCARD: Final = ".*"


class TopicSettings(BaseSettings):
    """The settings of `kafka` steps: a list with commas, of names or `orders.*`."""

    model_config = SettingsConfigDict(env_prefix="STEPLOG_", extra="ignore")

    step_topics: str = ""
    topic_namespace: str = DEFAULT_NAMESPACE


class TopicPolicy:
    """The topics that records may be written to."""

    def __init__(self, topics: str = "", namespace: str = DEFAULT_NAMESPACE) -> None:
        self._allowed = [name.strip() for name in topics.split(",") if name.strip()]
        self._namespace = namespace

    @classmethod
    def of_environment(cls) -> "TopicPolicy":
        """Return what the environment allows."""
        settings = TopicSettings()
        return cls(settings.step_topics, settings.topic_namespace)

    def check(self, topic: str) -> None:
        """Refuse a topic that may not be written to.

        Raises:
            RecordRefused: it is no name of a topic.
            TopicNotAllowed: it is steplog's own, the broker's own, or not on the allowlist.
        """
        refuse_wrong_name(topic)
        if topic.startswith((f"{self._namespace}.", _BROKERS_OWN)):
            raise TopicNotAllowed(
                f"The topic '{topic}' is steplog's or the broker's own, and no step writes there; "
                "name another one."
            )
        if not any(_fits(topic, entry) for entry in self._allowed):
            raise TopicNotAllowed(
                f"The topic '{topic}' is not on the allowlist; add it to STEPLOG_STEP_TOPICS of "
                "the executor and restart it."
            )


def refuse_wrong_name(topic: str) -> None:
    """Raise RecordRefused for what Kafka takes for no name of a topic."""
    if topic in (".", "..") or not _NAME.fullmatch(topic):
        raise RecordRefused(
            f"{topic[:100]!r} can't be the name of a topic; give up to 249 letters, digits, dots, "
            "hyphens and underscores."
        )


def _fits(topic: str, entry: str) -> bool:
    if entry.endswith(_WILDCARD):
        return topic.startswith(entry.removesuffix("*"))
    return topic == entry
