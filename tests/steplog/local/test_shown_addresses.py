"""A password in an address is in `stack.json` and nowhere else."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from steplog.cli.commands.status import _body
from steplog.cli.views.stack import print_where
from steplog.errors import ServiceUnreachable
from steplog.local.data_folder import DataFolder
from steplog.local.external_server import GivenServer
from steplog.local.stack_state import ProcessState, StackState
from steplog.settings import SteplogSettings
from tests.steplog.cli.command_line import steplog
from tracker_service.settings import Settings

URL = "postgresql://ann:hunter2@127.0.0.1:1/steplog"


def a_state() -> StackState:
    return StackState(
        supervisor_pid=1,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        topic_namespace="steplog",
        partitions=8,
        database_url=URL,
        payload_store="s3://key:hunter2@bucket",
        processes=(
            ProcessState(name="postgres", kind="given", address=URL, note=f"can't reach {URL}."),
        ),
    )


def test_what_is_shown_of_a_stack_has_no_password(capsys: Any, tmp_path: Path) -> None:
    state = a_state()

    print_where(state, tmp_path)

    assert "hunter2" not in capsys.readouterr().out + repr(_body(state.shown()))
    assert "ann:***@127.0.0.1:1" in repr(state.shown())


def test_the_file_keeps_it_for_clients(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    folder.write_state(a_state())

    assert folder.read_state() == a_state()


def test_a_server_that_does_not_answer_is_named_without_it() -> None:
    server = GivenServer("postgres", "PostgreSQL", URL, "DATABASE_URL", lambda _: False)

    with pytest.raises(ServiceUnreachable) as refused:
        server.start()

    assert "hunter2" not in str(refused.value)


def test_settings_are_printed_without_it() -> None:
    shown = repr(SteplogSettings(database_url=URL, api_token="hunter2"))
    shown += repr(Settings(database_url=URL, api_tokens="hunter2"))  # type: ignore[call-arg]

    assert "hunter2" not in shown


@pytest.mark.parametrize("detach", [[], ["--detach"]], ids=["here", "detached"])
def test_no_output_and_no_log_of_a_stack_that_can_not_start_has_it(
    tmp_path: Path, detach: list[str]
) -> None:
    folder = tmp_path / "data"

    ended = steplog("up", f"--data-dir={folder}", *detach, env={"DATABASE_URL": URL})
    status = steplog("status", f"--data-dir={folder}", env={"DATABASE_URL": URL})

    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "stack.json"]
    written = "".join(path.read_text(errors="replace") for path in files)
    assert ended.exit_code != 0
    assert "hunter2" not in ended.out + ended.err + status.out + status.err + written
