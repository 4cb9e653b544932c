"""`steplog token new`: the token and the line the API keeps of it fit together."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.steplog.cli.command_line import steplog
from tracker_service.access.roles import NotKnown, Role
from tracker_service.access.tokens import Keyring


def made(*options: str) -> tuple[str, str]:
    """Return the token and the line that are printed."""
    ended = steplog("token", "new", *options)
    assert ended.exit_code == 0, ended.err
    words = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    return words["token"], words["line"]


def test_the_line_makes_the_token_known_and_does_not_hold_it() -> None:
    token, line = made("--role", "operator", "--name", "ann")

    caller = Keyring(line).caller(token, datetime.now(UTC))
    assert (caller.name, caller.role) == ("ann", Role.OPERATOR)
    assert token not in line


def test_a_token_may_expire() -> None:
    token, line = made("--role", "viewer", "--expires-in-days", "2")

    with pytest.raises(NotKnown, match="expired"):
        Keyring(line).caller(token, datetime.now(UTC) + timedelta(days=3))


@pytest.mark.parametrize(
    "options", [["--role", "chief"], ["--role", "admin", "--name", "two words"]]
)
def test_a_token_that_cannot_be_is_refused(options: list[str]) -> None:
    ended = steplog("token", "new", *options)

    assert (ended.exit_code, ended.out) == (1, "")
