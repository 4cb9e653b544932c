"""The steps of the Seattle weather pipeline: ordinary user code.

Between steps travel small facts and file names; the rows themselves stay in files under the
execution's own folder, so the recorded history stays readable. Data: `seattle-weather.csv`,
NOAA daily observations 2012 to 2015 (1,461 days), as carried by the `vega_datasets` package.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from vega_datasets import local_data

from examples.seattle_weather.plot import draw_temperatures
from examples.seattle_weather.report import as_markdown
from executor_service import Step

Data = dict[str, Any]


class Load(Step):
    """Read the observations; `without` leaves out days of one kind, as if nobody had reported."""

    def run(self, data: Data) -> Data:
        """Write all days to a file and say where it is and what it holds."""
        days = local_data.seattle_weather()
        if data.get("without"):
            days = days[days["weather"] != data["without"]]
        folder = Path(data["output_dir"]) / self.context.execution_id
        folder.mkdir(parents=True, exist_ok=True)
        return {
            "folder": str(folder),
            "file": _save(days, folder / "loaded.csv"),
            "days": len(days),
        }


class Clean(Step):
    """Drop days without a temperature and count those missing from the calendar."""

    def run(self, data: Data) -> Data:
        """Return the cleaned file and how many days are missing between the first and last."""
        days = _read(data["file"]).dropna(subset=["temp_max", "temp_min"])
        days = days.drop_duplicates(subset=["date"]).sort_values("date")
        calendar = pd.date_range(days["date"].min(), days["date"].max())
        return {
            "file": _save(days, Path(data["folder"]) / "clean.csv"),
            "first_day": str(calendar[0].date()),
            "last_day": str(calendar[-1].date()),
            "missing_days": len(calendar) - len(days),
        }


class FillGaps(Step):
    """Put missing days back, their temperatures drawn in a line between their neighbours."""

    def run(self, data: Data) -> Data:
        """Return the file without gaps and how many days were filled."""
        days = _read(data["file"]).set_index("date").asfreq("D")
        filled = int(days["temp_max"].isna().sum())
        numbers = days.select_dtypes("number").columns
        days[numbers] = days[numbers].interpolate()
        file = _save(days.reset_index(), Path(data["folder"]) / "filled.csv")
        return {"file": file, "filled_days": filled}


class MonthlyStatistics(Step):
    """Means and sums for each month of the year, over all years."""

    def run(self, data: Data) -> Data:
        """Return twelve rows."""
        days = _read(data["file"])
        months = days.groupby(days["date"].dt.month).agg(
            warmest=("temp_max", "mean"),
            coldest=("temp_min", "mean"),
            rain=("precipitation", "sum"),
        )
        years = days["date"].dt.year.nunique()
        rows = [
            {
                "month": int(month),
                "temp_max_mean_c": round(float(row["warmest"]), 1),
                "temp_min_mean_c": round(float(row["coldest"]), 1),
                "precipitation_mm_a_year": round(float(row["rain"]) / years, 1),
            }
            for month, row in months.iterrows()
        ]
        return {"months": rows}


class Extremes(Step):
    """The days people remember."""

    def run(self, data: Data) -> Data:
        """Return the hottest, coldest, wettest and windiest day."""
        days = _read(data["file"])
        wanted = {
            "hottest": days["temp_max"].idxmax(),
            "coldest": days["temp_min"].idxmin(),
            "wettest": days["precipitation"].idxmax(),
            "windiest": days["wind"].idxmax(),
        }
        return {"extremes": {name: _day(days.loc[index]) for name, index in wanted.items()}}


class Plot(Step):
    """Draw the temperatures of all years."""

    def run(self, data: Data) -> Data:
        """Write a PNG beside the data and return its name."""
        return {"plot": draw_temperatures(_read(data["file"]), Path(data["folder"]) / "plot.png")}


class Report(Step):
    """Join what the branches found in one Markdown file."""

    def run(self, data: Data) -> Data:
        """Write the report and return its name."""
        report = Path(data["folder"]) / "report.md"
        report.write_text(as_markdown(data), encoding="utf-8")
        return {"report": str(report)}


def _day(row: "pd.Series[Any]") -> Data:
    return {
        "date": str(row["date"].date()),
        "temp_max_c": float(row["temp_max"]),
        "temp_min_c": float(row["temp_min"]),
        "precipitation_mm": float(row["precipitation"]),
        "wind_m_s": float(row["wind"]),
    }


def _read(file: str) -> pd.DataFrame:
    return pd.read_csv(file, parse_dates=["date"])


def _save(days: pd.DataFrame, file: Path) -> str:
    days.to_csv(file, index=False)
    return str(file)
