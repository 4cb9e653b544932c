"""A zoo of steps that do what no step should; each must cost its own execution and nothing else."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, NoReturn

from executor_service import Step, TerminalError


class Panic(BaseException):
    """What native libraries raise."""


class TextExits(Exception):
    """Exits when it is printed."""

    def __str__(self) -> str:
        raise SystemExit(7)


class Liar(Exception):
    """Is hostile wherever it is asked."""

    @property
    def __class__(self) -> NoReturn:  # type: ignore[override]
        raise KeyboardInterrupt

    @property
    def __notes__(self) -> NoReturn:
        raise SystemExit

    def __bool__(self) -> bool:
        raise Panic

    def __repr__(self) -> NoReturn:
        raise Panic


class ResultExits(dict[str, Any]):
    """A result that exits when it is read."""

    def items(self) -> NoReturn:
        raise SystemExit(3)


def raises(error: Callable[[], BaseException]) -> Callable[[], Any]:
    def run() -> NoReturn:
        raise error()

    return run


async def cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


async def cancels_itself_and_raises() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    raise ValueError("after it")


async def cancels_itself_later() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_later(0.01, task.cancel)
    await asyncio.sleep(1)


async def cancels_others() -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def stops_the_loop() -> None:
    asyncio.get_running_loop().stop()


async def closes_the_loop() -> None:
    asyncio.get_running_loop().close()


async def exits_in_a_task() -> None:
    async def exits() -> NoReturn:
        raise SystemExit(3)

    async with asyncio.TaskGroup() as group:
        group.create_task(exits())


async def interrupts_in_a_task() -> None:
    async def interrupts() -> NoReturn:
        raise KeyboardInterrupt

    await asyncio.create_task(interrupts())


async def awaits_nonsense() -> None:
    class Nonsense:
        def __await__(self) -> Any:
            yield "nonsense"

    await Nonsense()


def forks_and_fails() -> None:
    if os.fork() == 0:
        raise ValueError("in the child")
    raise ValueError("in the parent")


# By name: what the step does, and what is on record as the error's type.
ZOO: dict[str, tuple[Callable[[], Any], str]] = {
    "an exception of no kind": (raises(lambda: Panic("native")), "Panic"),
    "SystemExit": (raises(lambda: SystemExit(3)), "SystemExit"),
    "KeyboardInterrupt": (raises(lambda: KeyboardInterrupt("gave up")), "KeyboardInterrupt"),
    "KeyboardInterrupt without text": (raises(KeyboardInterrupt), "KeyboardInterrupt"),
    "GeneratorExit": (raises(GeneratorExit), "GeneratorExit"),
    "CancelledError": (raises(lambda: asyncio.CancelledError("mine")), "CancelledError"),
    "StopIteration": (raises(lambda: StopIteration(1)), "StopIteration RuntimeError"),
    "StopAsyncIteration": (raises(StopAsyncIteration), "StopAsyncIteration"),
    "a text that exits": (raises(TextExits), "TextExits"),
    "a hostile exception": (raises(Liar), "Liar"),
    "a result that exits": (lambda: ResultExits(a=1), "SystemExit"),
    "a group": (raises(lambda: BaseExceptionGroup("g", [Panic()])), "BaseExceptionGroup"),
    "cancels itself": (cancels_itself, "CancelledError"),
    "cancels itself and raises": (cancels_itself_and_raises, "ValueError"),
    "cancels itself later": (cancels_itself_later, "CancelledError"),
    "cancels others": (cancels_others, "NotItsOwn"),
    "stops the loop": (stops_the_loop, "NotItsOwn"),
    "closes the loop": (closes_the_loop, "RuntimeError"),
    "exits in a task": (exits_in_a_task, "ExceptionGroup"),
    "interrupts in a task": (interrupts_in_a_task, "KeyboardInterrupt"),
    "awaits nonsense": (awaits_nonsense, "RuntimeError"),
    "forks": (forks_and_fails, "ValueError"),
}


class Hostile(Step):
    """Does what `config["does"]` names, on the loop."""

    async def run(self, data: Any) -> Any:
        """Do it."""
        result = ZOO[self.config["does"]][0]()
        return await result if asyncio.iscoroutine(result) else result


class PlainHostile(Step):
    """Does it in a thread."""

    def run(self, data: Any) -> Any:
        """Do it; a coroutine of it is awaited on the loop."""
        return ZOO[self.config["does"]][0]()


class HostileFallback(Step):
    """Fails, and does it in its fallback."""

    async def run(self, data: Any) -> Any:
        """Fail."""
        raise ValueError("planned")

    async def fallback(self, data: Any, error: BaseException) -> Any:
        """Do it."""
        result = ZOO[self.config["does"]][0]()
        return await result if asyncio.iscoroutine(result) else result


class HostileConstructor(Step):
    """Does it while it is made."""

    def __init__(self, name: str, config: Any = None) -> None:
        super().__init__(name, config)
        ZOO[self.config["does"]][0]()

    async def run(self, data: Any) -> Any:
        """Do nothing."""


class Swallows(Step):
    """Does not end, whoever cancels it."""

    async def run(self, data: Any) -> Any:
        """Swallow every cancel, for longer than any test waits."""
        for _ in range(60):
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue


class AwaitsSwallower(Step):
    """Awaits a task that never ends."""

    async def run(self, data: Any) -> Any:
        """Wait for it."""
        await asyncio.create_task(Swallows("inner").run(data))


class NeverReturns(Step):
    """Holds its thread for a long time."""

    def run(self, data: Any) -> Any:
        """Sleep."""
        time.sleep(25)


class Healthy(Step):
    """Does its work."""

    async def run(self, data: Any) -> Any:
        """Return a key."""
        await asyncio.sleep(0.01)
        return {"healthy": True}


class PlainHealthy(Step):
    """Does its work in a thread."""

    def run(self, data: Any) -> Any:
        """Return a key."""
        return {"healthy": True}


def asked_exits(context: Any, parameters: Any) -> NoReturn:
    raise SystemExit(2)


def asked_panics(context: Any, parameters: Any) -> NoReturn:
    raise Panic("asked")


def asked_cancels(context: Any, parameters: Any) -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancel()


class Grouped(Step):
    """Raises a group with a terminal error inside."""

    runs = 0

    async def run(self, data: Any) -> Any:
        """Count and raise."""
        type(self).runs += 1
        raise ExceptionGroup("two", [ValueError("inner one"), TerminalError("inner two")])
