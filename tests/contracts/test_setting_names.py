"""A variable that looks like a setting and is none is named."""

import pytest

from steplog_contracts.setting_names import KNOWN_SETTINGS, unknown_settings


def test_what_is_known_or_somebody_elses_is_left_alone() -> None:
    assert unknown_settings([*KNOWN_SETTINGS, "PATH", "STEPLOG_X_CITY", "DATABASE_URL"]) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("STEPLOG_STEP_MODULE", "did you mean STEPLOG_STEP_MODULES?"),
        ("STEPLOG_LOG_LEVL", "did you mean STEPLOG_LOG_LEVEL?"),
        ("STEPLOG_COFFEE", "docs/operating.md lists them."),
    ],
)
def test_a_misspelt_setting_is_named_with_the_one_that_was_meant(name: str, meant: str) -> None:
    assert unknown_settings([name]) == [
        f"There is no setting {name}, so it changes nothing; {meant}"
    ]
