"""The Markdown of the report."""

import calendar
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def as_markdown(data: dict[str, Any]) -> str:
    """Return the report of what the branches found."""
    return "\n".join([*_head(data), *_months(data["months"]), *_extremes(data["extremes"])]) + "\n"


def _head(data: dict[str, Any]) -> Iterator[str]:
    yield "# Seattle's weather"
    yield ""
    yield f"{data['days']} days reported, from {data['first_day']} to {data['last_day']}."
    if data.get("filled_days"):
        yield f"{data['filled_days']} missing days were filled in from their neighbours."
    yield ""
    yield f"![Temperatures]({Path(data['plot']).name})"


def _months(months: list[dict[str, Any]]) -> Iterator[str]:
    yield from (
        "",
        "## Months",
        "",
        "| month | high °C | low °C | rain mm a year |",
        "|---|--:|--:|--:|",
    )
    for month in months:
        yield (
            f"| {calendar.month_name[month['month']]} | {month['temp_max_mean_c']} "
            f"| {month['temp_min_mean_c']} | {month['precipitation_mm_a_year']} |"
        )


def _extremes(extremes: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield from ("", "## Extremes", "", "| | day | high °C | low °C | rain mm | wind m/s |")
    yield "|---|---|--:|--:|--:|--:|"
    for name, day in extremes.items():
        yield (
            f"| {name} | {day['date']} | {day['temp_max_c']} | {day['temp_min_c']} "
            f"| {day['precipitation_mm']} | {day['wind_m_s']} |"
        )
