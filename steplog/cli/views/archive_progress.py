"""How far an export or import is, on a terminal; nothing elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from steplog.archive.exporter import Progress as Told
from steplog.cli.views.console import err

# Looking at the clock for every record would cost more than the record.
RECORDS_BETWEEN_LOOKS: Final = 500


@contextmanager
def archive_progress(what: str) -> Iterator[Told]:
    """Yield what is told how many records of all are done."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        shown = 0

        def tell(done: int, total: int) -> None:
            nonlocal shown
            if done - shown >= RECORDS_BETWEEN_LOOKS or done == total:
                shown = done
                bar.update(task, completed=done, total=total)

        yield tell
