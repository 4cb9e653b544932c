"""What nobody foresaw is told in a sentence too, and where to look on request."""

import pytest

from steplog.cli import main as command_line
from steplog.cli.main import TRACEBACK_VARIABLE


def _failing_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_given: object) -> None:
        raise error

    monkeypatch.setattr(command_line, "app", fail)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "/data/x"), "/data/x: No space left on device"),
        (KeyError("lost"), "steplog failed with KeyError: 'lost'"),
    ],
)
def test_a_fault_is_one_sentence(
    error: Exception,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _failing_with(error, monkeypatch)

    with pytest.raises(SystemExit, match="1"):
        command_line.main()
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1


def test_where_a_fault_came_from_is_shown_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    _failing_with(KeyError("lost"), monkeypatch)
    monkeypatch.setenv(TRACEBACK_VARIABLE, "1")

    with pytest.raises(KeyError):
        command_line.main()
