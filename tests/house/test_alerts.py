"""The alert rules can be read and ask for metrics there are."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.executor.process.test_executor_metrics import told
from tests.executor.support.partition_harness import Owning
from tests.house.deployment import DEPLOY
from tracker_service.http_api.routes import health
from tracker_service.store.freshness import Freshness, PartitionFreshness
from tracker_service.store.queries import Drift

RULES = DEPLOY / "prometheus/alerts.yaml"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
_METRIC = re.compile(r"\bsteplog_\w+")
_DURATION = re.compile(r"^\d+[smhd]$")


def rules() -> Iterator[dict[str, Any]]:
    """Yield every rule."""
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from group["rules"]


def told_metrics() -> set[str]:
    """Return the names of all samples that the API and an executor tell."""
    partition = PartitionFreshness(0, 1, 1, NOW, NOW, NOW)
    api = health._metrics(Freshness(NOW, [partition]), 0, Drift(NOW, checked=3)).decode()
    return {
        sample.name
        for text in (api, executor_metrics())
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@cache
def executor_metrics() -> str:
    """Return what an executor tells, with a partition that it can't take over."""

    async def ask() -> str:
        return told(await Owning().begin())

    return asyncio.run(ask())


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_metrics_there_are(rule: dict[str, Any]) -> None:
    asked = set(_METRIC.findall(rule["expr"]))

    assert asked
    assert asked <= told_metrics()


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule["alert"])
def test_a_rule_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert _DURATION.match(rule["for"])
    assert set(rule["annotations"]) == {"summary", "description"}


def test_drift_is_an_alert() -> None:
    assert "SteplogRowsDifferFromLog" in {rule["alert"] for rule in rules()}
