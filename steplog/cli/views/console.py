"""Where people read: tables and colour on a terminal, plain text elsewhere, errors on stderr.

What users wrote may hold characters that steer a terminal or turn the order of a line around. All
that is printed passes `printable`; nothing else in this package writes to a terminal.
"""

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table

from steplog_contracts.addresses import without_passwords

# Controls, marks that are not seen and turn a line around, separators of lines, half characters.
_STEERING = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
# A line break, and what joins letters of some scripts and parts of emoji.
_HARMLESS = frozenset("\n\u200c\u200d")


def printable(text: str) -> str:
    """Return a text with every character that steers a terminal written as its escape."""
    if text.isprintable():
        return text
    return "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    if char in _HARMLESS or unicodedata.category(char) not in _STEERING:
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class TerminalConsole(Console):
    """A console whose own controls reach the terminal and nobody else's do."""

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        # Here everything rich prints becomes text: tables, live displays, prompts.
        return super()._render_buffer(
            one if one.control else Segment(printable(one.text), one.style) for one in buffer
        )


# One sentence may be longer than the terminal is wide; breaking it would break copying from it.
out = TerminalConsole(highlight=False)
err = TerminalConsole(stderr=True, highlight=False, soft_wrap=True)

STATUS_STYLES = {
    "completed": "green",
    "running": "cyan",
    "pending": "dim",
    "waiting_for_human": "yellow",
    "compensating": "magenta",
    "paused": "yellow",
    "failed": "red",
    "cancelled": "magenta",
    "skipped": "dim",
    "starting": "cyan",
    "waiting": "dim",
    "restarting": "yellow",
    "stopped": "dim",
}
MAX_VALUE_CHARS = 400


def print_error(message: str) -> None:
    """Tell a person what went wrong."""
    err.print(f"[bold red]Error:[/] {escape(without_passwords(message))}")


def print_warning(message: str) -> None:
    """Tell a person what has no effect or not the one that was meant."""
    err.print(f"[yellow]Warning:[/] {escape(message)}")


def print_hint(message: str) -> None:
    """Tell a person what can be done next, on stderr: it is no part of an answer."""
    err.print(f"[dim]{escape(message)}[/]")


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Write JSON for programs: one document in ASCII, no colour, no wrapping."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_json_line(value: Mapping[str, Any]) -> None:
    """Write a document on a line of its own, in ASCII, at once."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def print_plain(text: str) -> None:
    """Write text for other programs as it is, but for what steers a terminal."""
    sys.stdout.write(printable(text) + "\n")


def print_bytes(value: bytes) -> None:
    """Write a stored value byte for byte; to a terminal as far as it can be shown."""
    if sys.stdout.isatty():
        print_plain(value.decode(errors="replace"))
    else:
        sys.stdout.buffer.write(value + b"\n")


def styled_status(status: str) -> str:
    """Return a status in its colour."""
    return f"[{STATUS_STYLES.get(status, 'default')}]{status.replace('_', ' ')}[/]"


def duration(milliseconds: float | None) -> str:
    """Return a duration as people say it: `0.8 ms`, `132 ms`, `4.21 s`, `3 min 20 s`."""
    if milliseconds is None:
        return "-"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(time: datetime | None) -> str:
    """Return a time to the second in the reader's own time zone."""
    return "-" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def short_moment(time: datetime, now: datetime) -> str:
    """Return the time of day for one of today, else the date and the minute."""
    here, today = time.astimezone(), now.astimezone().date()
    return f"{here:%H:%M:%S}" if here.date() == today else f"{here:%Y-%m-%d %H:%M}"


def plain_table(*headings: str) -> Table:
    """Return an empty table without lines, for a terminal and for `grep` alike."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def short_json(value: Any) -> str:
    """Return a value as JSON on one line, cut where it gets long; `--json` shows all of it."""
    text = json.dumps(value, ensure_ascii=False)
    cut = len(text) - MAX_VALUE_CHARS
    return text if cut <= 0 else f"{text[:MAX_VALUE_CHARS]}… ({cut} more characters)"
