"""A given address comes first, and one that does not answer is named with its remedy."""

from pathlib import Path

import pytest

from steplog.errors import ServiceUnreachable
from steplog.local.ports import free_ports
from steplog.local.server import start_server
from steplog.local.server_choice import choose_kafka, choose_postgres


def test_a_given_address_is_used_as_it_is(tmp_path: Path) -> None:
    kafka = choose_kafka(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": "broker:9092"})
    postgres = choose_postgres(tmp_path, {"STEPLOG_DATABASE_URL": "postgresql://db/steplog"})

    assert (kafka.kind, kafka.address) == ("given", "broker:9092")
    assert (postgres.kind, postgres.address) == ("given", "postgresql://db/steplog")


def test_without_an_address_and_an_engine_servers_run_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")

    kinds = (choose_kafka(tmp_path, {}).kind, choose_postgres(tmp_path, {}).kind)

    assert kinds == ("local", "local")


def test_a_given_broker_that_is_down_is_named_with_the_remedy(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"

    with pytest.raises(ServiceUnreachable) as refusal:
        start_server(choose_kafka(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": address}))

    assert str(refusal.value) == (
        f"Kafka does not answer at {address}; "
        "start it there, or correct or unset KAFKA_BOOTSTRAP_SERVERS."
    )


def test_a_given_database_that_is_down_is_named_with_the_remedy(tmp_path: Path) -> None:
    url = f"postgresql://127.0.0.1:{free_ports(1)[0]}/steplog"

    with pytest.raises(ServiceUnreachable, match="correct or unset DATABASE_URL"):
        start_server(choose_postgres(tmp_path, {"DATABASE_URL": url}))
