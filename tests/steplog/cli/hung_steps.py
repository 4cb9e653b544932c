"""Steps that don't come back, for tests of what a stop costs then."""

import time
from pathlib import Path
from typing import Any

from steplog import Step

HANGS_S = 300.0


class Hang(Step):
    """A plain step that says where that it runs, and does not end while a test looks."""

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """Hang."""
        Path(data["began"]).touch()
        time.sleep(HANGS_S)
        return {}


class Slow(Step):
    """A plain step that takes a moment."""

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """Take it."""
        time.sleep(1.5)
        return {}
