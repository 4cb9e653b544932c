"""Why PostgreSQL and a client did not come together: a sentence with the remedy."""

import ssl
from pathlib import Path

import pytest

from steplog_contracts.postgres_login import (
    SSL_MODES,
    address_problem,
    login_remedy,
    shows_certificate,
    tls_problem,
)


@pytest.mark.parametrize("mode", SSL_MODES)
def test_each_mode_of_libpq_is_taken(mode: str) -> None:
    assert address_problem(f"postgresql://db/x?sslmode={mode}") is None


@pytest.mark.parametrize("mode", ["verify_full", "VERIFY-FULL", "on", "true"])
def test_another_mode_is_refused_with_those_there_are(mode: str) -> None:
    problem = address_problem(f"postgresql://db/x?sslmode={mode}")

    assert problem is not None
    assert repr(mode) in problem
    assert "verify-full" in problem


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey", "sslcrl"])
def test_a_file_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    problem = address_problem(f"postgresql://db/x?{name}={tmp_path / 'none.pem'}")

    assert problem is not None
    assert problem.startswith(f"{name} names ")


def test_a_key_without_its_certificate_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "own.key"
    key.touch()

    assert address_problem(f"postgresql://db/x?sslkey={key}") == (
        "sslkey stands without sslcert in the database's URL; name both."
    )


def test_an_address_without_tls_has_no_problem() -> None:
    assert address_problem("postgresql://ada:secret@db/x?application_name=a") is None
    assert not shows_certificate("postgresql://db/x?sslmode=require")


@pytest.mark.parametrize(
    ("code", "expected"),
    [(10, "has expired"), (9, "clocks"), (62, "another host"), (20, "sslrootcert")],
)
def test_what_is_wrong_with_a_certificate_is_told_by_its_number(code: int, expected: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "as OpenSSL says"

    assert expected in (tls_problem(error) or "")


@pytest.mark.parametrize("error", [None, ConnectionRefusedError(), TimeoutError(), ValueError()])
def test_what_is_not_about_tls_is_left_to_others(error: BaseException | None) -> None:
    assert tls_problem(error) is None


def test_a_closed_connection_points_to_the_certificate_only_where_one_is_shown() -> None:
    assert login_remedy("08003", "closed", shows_certificate=False) is None
    assert "expired" in (login_remedy("08003", "closed", shows_certificate=True) or "")
