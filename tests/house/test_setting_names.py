"""The list of settings is what the settings classes read, and the documents name each."""

import re
from collections.abc import Iterator

import pytest
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from executor_service.settings import ExecutorSettings
from executor_service.steps.http_policy import HttpSettings
from executor_service.steps.topic_policy import TopicSettings
from steplog.settings import SteplogSettings
from steplog_contracts.setting_names import KNOWN_SETTINGS, PREFIX
from steplog_kafka.settings import KafkaSettings
from tests.house.rules import sources
from tests.house.tree import texts
from tracker_service.settings import Settings
from tracker_service.store.postgres.database_settings import DatabaseSettings

CLASSES: tuple[type[BaseSettings], ...] = (
    ExecutorSettings, Settings, DatabaseSettings, SteplogSettings, KafkaSettings, HttpSettings,
    TopicSettings,
)  # fmt: skip
# Read where no settings class is: by the build, and where an error is told.
READ_ELSEWHERE = {"STEPLOG_INTERPRETED", "STEPLOG_TRACEBACK"}
_NAME = re.compile(r"\bSTEPLOG_[A-Z0-9_]*[A-Z0-9]\b(?!_)")


def names_of(settings: type[BaseSettings]) -> Iterator[str]:
    """Yield the variables that a settings class reads."""
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            yield from (one for one in alias.choices if isinstance(one, str) and one.isupper())
        else:
            yield (alias if isinstance(alias, str) else f"{prefix_of(settings)}{name}").upper()


def prefix_of(settings: type[BaseSettings]) -> str:
    """Return what the names of a class begin with."""
    return settings.model_config.get("env_prefix", "")


def test_every_setting_is_in_the_list_and_nothing_else() -> None:
    read = {name for settings in CLASSES for name in names_of(settings)}

    assert {name for name in read if name.startswith(PREFIX)} | READ_ELSEWHERE == KNOWN_SETTINGS


def test_no_source_names_a_setting_that_is_not_read() -> None:
    named = {
        (source.path, name)
        for source in sources("executor_service", "tracker_service", "steplog", "steplog_kafka")
        for name in _NAME.findall(source.text)
    }

    assert {one for one in named if one[1] not in KNOWN_SETTINGS} == set()


@pytest.mark.parametrize("name", sorted(KNOWN_SETTINGS))
def test_a_setting_stands_in_a_document(name: str) -> None:
    pages = {p: t for p, t in texts().items() if p.endswith(".md") or p.startswith("deploy/")}

    # A table names a family once and then what is different: `_SSL_CERTFILE`, `_SSL_KEYFILE`.
    short = f"`{name.removeprefix('STEPLOG_KAFKA')}`"
    assert any(name in text or short in text for text in pages.values())
