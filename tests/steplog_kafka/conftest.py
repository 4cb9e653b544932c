"""One secured broker, and pairs on it, for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from steplog.local.server_choice import running
from tests.conftest import TEST_PARTITIONS, database
from tests.executor.support import people_steps
from tests.services import Services
from tests.steplog_kafka.secured_broker import SecuredKafka
from tests.steplog_kafka.secured_pair import SecuredPair


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """Yield a broker that is secured in every way there is."""
    server = SecuredKafka(tmp_path_factory.mktemp("secured"))
    with running(server):
        yield server


@pytest.fixture
def pair(
    secured: SecuredKafka, postgres_server_url: str, topic_namespace: str, tmp_path: Path
) -> Iterator[SecuredPair]:
    """Yield a pair that nobody has started and nobody has given a right."""
    with database(postgres_server_url) as url:
        services = Services(
            secured.address,
            url,
            topic_namespace,
            tmp_path,
            people_steps.__name__,
            partitions=TEST_PARTITIONS,
        )
        yield SecuredPair(secured, services)
        services.stop_all()
