"""An archive printed on a terminal: nothing in it steers the terminal, and it can be read back."""

import io
import sys
from pathlib import Path

import pytest

from steplog.archive.format import ArchivedRecord, Closing, Opening
from steplog.archive.jsonl import JsonLinesReader, JsonLinesWriter

STEERING = "x\x1b]0;owned\x07\x9b31m\u202eevil\u2066\x7f\u2028"
RECORD = ArchivedRecord(0, 7, 0, b"e-1", STEERING.encode(), (("ce_id", STEERING.encode()),))


class Output(io.TextIOWrapper):
    """Standard output that is a terminal, or none."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), "utf-8")
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        """Say so."""
        return self.is_terminal


@pytest.mark.parametrize("is_terminal", [True, False])
def test_only_a_pipe_gets_characters_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    output = Output(is_terminal=is_terminal)
    monkeypatch.setattr(sys, "stdout", output)
    writer = JsonLinesWriter(None, Opening("steplog.events", 1, {}, "2026-01-01T00:00:00Z"))
    writer.write(RECORD)
    writer.close(Closing({0: 1}, 1))
    assert isinstance(output.buffer, io.BytesIO)
    written = output.buffer.getvalue()
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(written)

    assert written.isascii() is is_terminal
    assert (b"\x7f" in written) is not is_terminal
    assert list(JsonLinesReader(copy).records()) == [RECORD]
