"""What users wrote reaches a terminal as text: no controls, and no value that is secret."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steplog.cli.lazy import entries
from steplog.cli.views.console import TerminalConsole, printable
from tests.steplog.cli.command_line import steplog
from tests.steplog.cli.example_executions import Looked
from tests.steplog.cli.plain_steps import chain
from tests.steplog.local.waiting import wait_until

# Title, clipboard, clearing, C1, bidi marks and isolates, separators, a tab, a carriage return.
HOSTILE: Final = (
    "x\x1b]0;owned\x07\x1b]52;c;eA==\x1b\\\x1b[2J\x9b31m\u202eevil\u2066\u2069\u200f"
    "\u061c\u2028\u2029\tt\rr\u200by"
)
CANARY: Final = "canary-7f3a9c"
STEERING: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
# What each command that reads is asked, after its name; several times if several ways.
ASKED: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "ls": ((), ("--json",)),
    "show": (("bad",), ("asks",), ("bad", "--json"), ("bad", "--traceback"), ("ended",)),
    "why": (("bad",), ("asks",), ("bad", "--json"), ("nobody-" + HOSTILE,)),
    "watch": (("bad",), ("bad", "--json")),
    "waits": ((), ("asks",), ("--json",)),
    "stats": ((), ("--steps",), ("--json",)),
    "top": (("--once",), ("--json",)),
    "events": (("bad",), ("asks",), ("bad", "--json")),
    "lag": ((), ("--json",)),
    "status": ((), ("--json",)),
    "dead-letters": (("list",), ("list", "--json")),
    "cancel": (("nobody-" + HOSTILE,),),
    "resume": (("bad", "--input", "{}"),),
    "retry": (("ended",),),
    "check": (("FILE",), ("FILE", "--json"), ("FILE", "--graph"), ("FILE", "--mermaid")),
    "payload": (("bad", "ab" * 32),),
    "convert": (("FILE", "--from", "asl"),),
}
# They change or move data, or never end; what they print of an execution is an id.
NOT_ASKED: Final = frozenset(
    {
        *("run", "fork", "up", "down", "move", "export", "import", "rebuild", "verify", "prune"),
        *("init", "topics", "token", "diff-projection", "replay-definition", "commands"),
    }
)


def hostile(name: str, step_class: str) -> dict[str, Any]:
    definition = chain(step_class)
    step = definition["steps"][0] | {"name": f"step {HOSTILE}", "config": {"password": CANARY}}
    definition["steps"] = [step]
    return definition | {"name": f"{name} {HOSTILE}", "secrets": ["password"]}


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looked]:
    looked = Looked(tmp_path_factory.mktemp("shown"))
    try:
        wait_until(looked.is_up, 60)
        question = {"prompt": f"{HOSTILE} {CANARY}?", "ui_schema": {"password": CANARY}}
        asks = hostile("asks", "AskFor")
        asks["steps"][0]["config"]["question"] = question
        quotes = {"say": f"{HOSTILE} said {CANARY}", "password": CANARY, "pw": CANARY}
        for name, definition, end in (
            ("bad", hostile("bad", "Quote"), "failed"),
            ("asks", asks, "waiting_for_human"),
            ("ended", asks, "waiting_for_human"),
        ):
            body = {"execution_id": name, "definition": definition, "input": quotes,
                    "metadata": {"k": HOSTILE, "password": CANARY}}  # fmt: skip
            assert looked.api.post("/api/executions", json=body).status_code == 202
            wait_until(lambda one=name, then=end: looked.stands(one, then))
        reason = {"reason": f"{HOSTILE} {CANARY}"}
        looked.api.post("/api/executions/ended/cancel", json=reason)
        wait_until(lambda: looked.stands("ended", "cancelled"))
        yield looked
    finally:
        looked.stop()


def test_every_command_is_asked_or_known_not_to_be() -> None:
    assert {name for _, name, _ in entries()} == {*ASKED} | NOT_ASKED


@pytest.mark.parametrize("name", sorted(ASKED))
def test_no_command_lets_a_terminal_be_steered_or_shows_a_secret(
    looked: Looked, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(hostile("checked", "Nowhere") | {f"odd {HOSTILE}": 1}))
    for arguments in ASKED[name]:
        given = [str(file) if one == "FILE" else one.replace("\x00", "") for one in arguments]

        ended = looked.run(name, *given)

        shown = ended.out + ended.err
        assert shown.strip(), (name, arguments)
        assert STEERING.findall(shown) == [], (name, arguments)
        assert name == "check" or CANARY not in shown, (name, arguments)
        if "--json" in arguments:
            assert ended.out.isascii()


def test_what_a_person_typed_is_no_control_in_an_error() -> None:
    ended = steplog("check", f"no{HOSTILE}")

    assert ended.exit_code != 0
    assert STEERING.findall(ended.err) == []


def test_a_live_display_keeps_its_own_controls_and_no_others(capsys: Any) -> None:
    console = TerminalConsole(force_terminal=True, color_system="standard", highlight=False)

    console.print(f"[red]a{HOSTILE}[/]")

    shown = capsys.readouterr().out
    assert shown.startswith("\x1b[31ma")
    assert STEERING.findall(re.sub("\x1b\\[[0-9;]*m", "", shown)) == []


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_printable_text_has_no_control(text: str) -> None:
    shown = printable(text)

    assert STEERING.findall(shown) == []
    shown.encode()


@pytest.mark.parametrize("text", ["Gr\u00f6\u00dfe", "\u65e5\u672c\u8a9e", "a\u200db\u200cc\nd"])
def test_ordinary_text_is_printed_as_it_is(text: str) -> None:
    assert printable(text) == text
