"""Monthly prices of five shares, 2000 to 2010: a file for each, and what became of them.

Data: `stocks.csv`, as carried by the `vega_datasets` package. Between steps travel file names and
small facts; the prices stay in the files.
"""

import csv
from pathlib import Path
from typing import Any

from vega_datasets import local_data

from executor_service import Step

Data = dict[str, Any]


class Split(Step):
    """Write one small file for each share."""

    def run(self, data: Data) -> Data:
        """Return the files, by name of the share."""
        prices = local_data.stocks()
        folder = Path(data["output_dir"]) / self.context.execution_id
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for share, rows in prices.groupby("symbol"):
            file = folder / f"{share}.csv"
            rows.sort_values("date").to_csv(file, index=False)
            files.append(str(file))
        return {"files": files}


class Measure(Step):
    """Read one file, as an item of a map."""

    def run(self, data: Data) -> Data:
        """Return the share, its first and last price, and by how many percent it rose."""
        rows = read_prices(data["file"])
        first, last = rows[0]["price"], rows[-1]["price"]
        return {
            "share": Path(data["file"]).stem,
            "file": data["file"],
            "months": len(rows),
            "rose_percent": round(100 * (last / first - 1), 1),
        }


class Choose(Step):
    """Find the share that rose most."""

    def run(self, data: Data) -> Data:
        """Return it, and all shares in order."""
        measured = sorted(data["shares"], key=lambda share: -share["rose_percent"])
        return {"best": measured[0], "ranking": [share["share"] for share in measured]}


class Rows(Step):
    """Read the rows of a file, for a map over them."""

    def run(self, data: Data) -> Data:
        """Return each month with the price of the month before."""
        rows = read_prices(data["file"])
        pairs = zip(rows[1:], rows, strict=False)
        return {"months": [month | {"before": prior["price"]} for month, prior in pairs]}


class Change(Step):
    """Work out the change of one month, as an item of a map."""

    def run(self, data: Data) -> Data:
        """Return the month and its change in percent."""
        month = data["month"]
        return {
            "date": month["date"],
            "percent": round(100 * (month["price"] / month["before"] - 1), 1),
        }


class Extremes(Step):
    """Find the best and the worst month."""

    def run(self, data: Data) -> Data:
        """Return both."""
        changes = data["changes"]
        return {
            "best_month": max(changes, key=lambda change: change["percent"]),
            "worst_month": min(changes, key=lambda change: change["percent"]),
        }


def read_prices(file: str) -> list[Data]:
    """Return the rows of a share's file, the earliest first."""
    with Path(file).open(newline="") as lines:
        return [{"date": r["date"], "price": float(r["price"])} for r in csv.DictReader(lines)]
