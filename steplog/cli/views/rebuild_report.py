"""What folding the past again found, for people and for programs."""

from typing import Any

from rich.markup import escape

from steplog.cli.views.console import MAX_VALUE_CHARS, out, plain_table
from tracker_service.rebuild.request import Report
from tracker_service.rebuild.row_check import Checked
from tracker_service.store.postgres.shadow.compare import (
    CHANGED,
    ONLY_LIVE,
    ONLY_LOG,
    Difference,
    Tally,
)

_KINDS = {
    CHANGED: "differ",
    ONLY_LOG: "are missing in the live rows",
    ONLY_LIVE: "are not in the log",
}


def print_report(report: Report) -> None:
    """Print what was built, what differs and what became of it."""
    seconds = sum(report.seconds.values())
    # Of one that was taken up, nobody knows how long the part before took.
    rate = f" ({report.events / seconds:,.0f} events/s)" if not report.taken_up else ""
    out.print(f"{report.events:,} events made {report.rows:,} rows in {seconds:.1f} s{rate}.")
    print_differences(report.tally, report.examples)
    for partition, reason in report.lost.items():
        out.print(f"[red]Partition {partition} lost records.[/] {escape(reason)}")
    if report.vanishing:
        verb = "vanished" if report.swapped else "would vanish"
        out.print(f"{len(report.vanishing):,} executions without any event left {verb}.")
    if report.swapped:
        out.print(
            f"Swapped in; the live tracker waited {report.pause_ms:.0f} ms. The tables before are "
            f"kept in {report.old_schema} until `steplog rebuild --drop-old`."
        )
    elif report.repaired:
        out.print(f"{len(report.repaired):,} executions replaced by what the log says.")
    elif report.kept_schema is not None:
        out.print(f"The rows are in the schema {report.kept_schema}; the live ones are untouched.")
    else:
        out.print("Nothing has been changed.")


def print_differences(tally: Tally, examples: list[Difference]) -> None:
    """Print how many rows differ, by column, and some of them with both values."""
    if not tally.total:
        out.print("[green]Every row equals the log.[/]")
        return
    for (table, kind), count in tally.kinds.items():
        out.print(f"[yellow]{count:,}[/] rows of {table} {_KINDS[kind]}.")
    for (table, column), count in tally.columns.items():
        out.print(f"  [dim]{table}.{column}[/] {count:,}")
    table_of_examples = plain_table("execution", "row", "column", "live", "log")
    for example in examples:
        for cells in _cells(example):
            table_of_examples.add_row(*(escape(cell) for cell in cells))
    out.print(table_of_examples)


def report_json(report: Report) -> dict[str, Any]:
    """Return the report for programs."""
    return {
        "events": report.events,
        "rows": report.rows,
        "seconds": {name: round(took, 3) for name, took in report.seconds.items()},
        "taken_up": report.taken_up,
        "swapped": report.swapped,
        "pause_ms": None if report.pause_ms is None else round(report.pause_ms, 1),
        "old_schema": report.old_schema,
        "kept_schema": report.kept_schema,
        "repaired": report.repaired,
        "left_out": report.left_out,
        "lost": report.lost,
        "vanishing": report.vanishing,
        "new_dead_letters": report.new_letters,
        "live_projection_version": report.live_projection,
        **differences_json(report.tally, report.examples),
    }


def print_checked(checked: Checked) -> None:
    """Print what a check found and what became of it."""
    out.print(f"{checked.executions:,} executions checked.")
    print_differences(checked.tally, checked.examples)
    if checked.left_out:
        out.print(
            f"{len(checked.left_out):,} left out: written to meanwhile, too long a stretch of the "
            "log, or their beginning is not in the log."
        )
    if checked.repaired:
        out.print(f"{len(checked.repaired):,} executions repaired from the log.")


def checked_json(checked: Checked) -> dict[str, object]:
    """Return what a check found, for programs."""
    return {
        "executions": checked.executions,
        "left_out": checked.left_out,
        "differing": checked.differing,
        "repaired": checked.repaired,
        **differences_json(checked.tally, checked.examples),
    }


def differences_json(tally: Tally, examples: list[Difference]) -> dict[str, Any]:
    """Return what differs, for programs."""
    return {
        "differences": tally.total,
        "rows_by_kind": {f"{t}.{kind}": n for (t, kind), n in tally.kinds.items()},
        "changed_by_column": {f"{t}.{column}": n for (t, column), n in tally.columns.items()},
        "examples": [
            {
                "table": one.table,
                "execution_id": one.execution_id,
                "key": list(one.key),
                "kind": one.kind,
                "columns": {n: {"live": a, "log": b} for n, (a, b) in one.columns.items()},
            }
            for one in examples
        ],
    }


def _cells(example: Difference) -> list[tuple[str, str, str, str, str]]:
    place = (example.execution_id or "-", f"{example.table} {' '.join(example.key[1:])}".strip())
    if not example.columns:
        sides = ("there", "missing") if example.kind == ONLY_LIVE else ("missing", "there")
        return [(*place, "-", *sides)]
    return [
        (*place, column, _short(live), _short(log))
        for column, (live, log) in example.columns.items()
    ]


def _short(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…"
