"""The services of a fresh namespace and database, for tests that run them as processes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services import Services

ServicesFactory = Callable[..., Services]


@pytest.fixture
def make_services(
    kafka_bootstrap: str, postgres_url: str, topic_namespace: str, tmp_path: Path
) -> Iterator[ServicesFactory]:
    """Return a function (step modules, environment) -> services; none is left running."""
    made: list[Services] = []

    def make(step_modules: str, **environment: str) -> Services:
        services = Services(
            kafka_bootstrap,
            postgres_url,
            topic_namespace,
            tmp_path,
            step_modules,
            extra_environment=environment,
        )
        made.append(services)
        return services

    yield make
    for services in made:
        services.stop_all()
