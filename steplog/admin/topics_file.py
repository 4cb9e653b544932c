"""Topics declared in a file, to be reviewed before they are applied: `deploy/topics.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steplog.errors import BadInput
from steplog_contracts.topics import Topic
from steplog_contracts.validation_message import plain_sentence


@dataclass(frozen=True, slots=True)
class DeclaredTopics:
    """What a file declares."""

    topics: tuple[Topic, ...]
    replication_factor: int | None  # None: as set, else the brokers' own.


class _TopicEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    name: str
    partitions: int = Field(ge=1, le=4096)
    key: str = ""
    carries: str = ""
    config: Mapping[str, str] = Field(default_factory=dict)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    replication_factor: int | None = Field(default=None, ge=1, le=100)
    topics: tuple[_TopicEntry, ...] = Field(min_length=1)


def read_topics_file(path: Path) -> DeclaredTopics:
    """Return what the file declares.

    Raises:
        BadInput: it can't be read, is not YAML, or declares something else.
    """
    try:
        file = _File.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise BadInput(f"The file {path} can't be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise BadInput(f"The file {path} is not YAML: {' '.join(str(error).split())}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadInput(
            f"The file {path} declares no topics: {place}: {plain_sentence(first)}"
        ) from error
    topics = tuple(Topic(**entry.model_dump()) for entry in file.topics)
    return DeclaredTopics(topics, file.replication_factor)
