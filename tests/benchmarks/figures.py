"""How every benchmark ends: a table for people, a JSON file for programs."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

FOLDER = Path(".bench")


def publish_figures(target: str, figures: Mapping[str, float]) -> None:
    """Print the figures and write `.bench/<target>.json`; names carry their units."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    table = Table(title=f"{target} ({machine})")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.3f}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)
    FOLDER.mkdir(exist_ok=True)
    document = {"target": target, "machine": machine, "figures": dict(figures)}
    (FOLDER / f"{target}.json").write_text(json.dumps(document, indent=2) + "\n")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
