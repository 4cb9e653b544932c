"""Embedded mode: executor, tracker and API in one process over one SQLite file.

async with Embedded.open("steplog.db", step_modules=["my_steps"]) as steplog:
    submitted = await steplog.run(definition, {"year": 2015})
    execution = await steplog.result(submitted)

Without an event loop: `with Embedded.blocking("steplog.db") as steplog: ...`.

The same contracts, engine, recovery, fold and API as on Kafka and PostgreSQL; only what lies below
the ports differs.
"""

from steplog.embedded.client import Embedded
from steplog.embedded.settings import EmbeddedSettings

__all__ = ["Embedded", "EmbeddedSettings"]
