"""One secured broker for all tests of this folder."""

from collections.abc import Iterator

import pytest

from steplog.local.choice import running
from tests.steplog_kafka.secured_broker import SecuredKafka


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """Yield a broker that is secured in every way there is."""
    server = SecuredKafka(tmp_path_factory.mktemp("secured"))
    with running(server):
        yield server
