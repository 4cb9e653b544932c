"""Migrations have numbers of their own, one after another."""

import pytest

from tracker_service.store.migrations import migrations


@pytest.mark.parametrize("dialect", ["postgres", "sqlite"])
def test_each_migration_has_the_next_number(dialect: str) -> None:
    versions = [migration.version for migration in migrations(dialect)]

    assert versions == list(range(1, len(versions) + 1))


def test_a_concurrent_one_is_taken_statement_by_statement() -> None:
    (indexes,) = [one for one in migrations("postgres") if one.concurrent]

    assert all(" CONCURRENTLY " in statement for statement in indexes.statements)
