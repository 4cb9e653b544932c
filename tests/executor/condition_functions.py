"""Condition functions that definitions in tests name."""

import asyncio
import os
from typing import Any


def is_large(context: Any, parameters: Any) -> bool:
    """Look at the data, a result, and the parameters."""
    return bool(context.pipeline_data["n"] > parameters["limit"]) and "a" in context.step_results


def changes_everything(context: Any, parameters: Any) -> bool:
    """Try to change what it is given."""
    context.pipeline_data["n"] = 99
    context.step_results["a"]["n"] = 99
    return True


def raises(context: Any, parameters: Any) -> bool:
    """Fail."""
    raise ValueError("no idea")


async def waits(context: Any, parameters: Any) -> bool:
    """Be asynchronous."""
    await asyncio.sleep(0)
    return True


system = os.system
