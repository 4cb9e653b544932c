"""No address is shown with its password, wherever in a text it stands."""

import pytest

from steplog_contracts.addresses import without_passwords


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:hunter2@db:5432/steplog?host=x",
        "can't connect to postgres://ann:hunter2@db: refused",
        "postgresql://:hunter2@/x",
        "postgresql://ann:p@hunter2@db/x",
        "postgresql://ann:hunter2/#?@db/x",
        "postgresql+asyncpg://ann:hunter2'\"@db",
        "kafka://u:hunter2@one:9092,kafka://u:hunter2@two:9092",
        "s3://key:hunter2@bucket/folder",
        "dbname=x user=ann password=hunter2 host=db",
        "postgresql://db/x?user=ann&password=hunter2&sslmode=require",
        "https://store/x?sig=hunter2&client_secret=hunter2",
        "STEPLOG_API_TOKEN=hunter2",
    ],
)
def test_no_password_is_left(text: str) -> None:
    shown = without_passwords(text)

    assert "hunter2" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8400",
        "postgresql://ann@db:5432/x",
        "postgresql://postgres@/x?host=%2Ftmp%2Fs",
        "ann@example.com",
        "a=b",
        "/var/lib/steplog",
        "localhost:9092,localhost:9093",
    ],
)
def test_what_has_no_password_is_shown_as_it_is(text: str) -> None:
    assert without_passwords(text) == text
