"""How PostgreSQL is reached beside its URL: a password that nobody sees, a pooler that is named."""

from pathlib import Path

import pytest

from tracker_service.store.errors import StoreRefused
from tracker_service.store.postgres.database_settings import read_database_settings

SECRET = "s3cret-nobody-sees"


def test_a_password_is_read_from_its_file_for_each_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    monkeypatch.setenv("STEPLOG_DATABASE_PASSWORD_FILE", str(file))
    settings = read_database_settings()
    before = settings.current_password()
    file.write_text("another\n")

    assert (before, settings.current_password()) == (SECRET, "another")


def test_a_password_is_not_in_what_settings_look_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPLOG_DATABASE_PASSWORD", SECRET)
    settings = read_database_settings()

    assert SECRET not in f"{settings!r} {settings.model_dump_json()}"
    assert settings.current_password() == SECRET


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"POOLING": "statement"}, "STEPLOG_DATABASE_POOLING can't be used"),
        ({"PASSWORD": SECRET, "PASSWORD_FILE": "/x"}, "are both set; leave one out"),
    ],
)
def test_what_can_not_be_used_is_said_without_the_password(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], sentence: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"STEPLOG_DATABASE_{name}", value)

    with pytest.raises(StoreRefused) as refused:
        read_database_settings()

    assert sentence in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_password_file_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPLOG_DATABASE_PASSWORD_FILE", "/no/such/file")

    with pytest.raises(StoreRefused, match="names /no/such/file, which can't be read"):
        read_database_settings().current_password()
