"""The picture of the report."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

SIZE_INCHES = (9, 4.5)
DOTS_PER_INCH = 120
SMOOTHED_DAYS = 14


def draw_temperatures(days: pd.DataFrame, file: Path) -> str:
    """Draw daily highs and lows with a smoothed line each; return the PNG's name.

    A Figure of its own, not pyplot: steps run in worker threads and pyplot's state is global.
    """
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    for column, label, colour in (
        ("temp_max", "daily high", "tab:red"),
        ("temp_min", "daily low", "tab:blue"),
    ):
        smooth = days[column].rolling(SMOOTHED_DAYS, center=True, min_periods=1).mean()
        axes.plot(days["date"], days[column], color=colour, alpha=0.2, linewidth=0.7)
        axes.plot(days["date"], smooth, color=colour, label=label)
    axes.set_title("Temperatures in Seattle")
    axes.set_ylabel("°C")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(file, dpi=DOTS_PER_INCH)
    return str(file)
