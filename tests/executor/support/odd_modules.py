"""Modules that do what no module does: each is written into a folder and imported by name."""

import sys
from pathlib import Path

ODD_MODULES = {
    "odd_exits": "raise SystemExit(4)",
    "odd_interrupts": "raise KeyboardInterrupt",
    "odd_cancels": "import asyncio\nraise asyncio.CancelledError",
    "odd_panics": "class Panic(BaseException): ...\nraise Panic('native panic')",
    "odd_recurses": "def f(): f()\nf()",
    "odd_memory": "raise MemoryError",
    "odd_asserts": "assert False, 'never'",
    "odd_syntax": "def (",
    "odd_nul": "x = 1\0",
    "odd_text": (
        "class Mute(BaseException):\n    def __str__(self): raise SystemExit(3)\nraise Mute"
    ),
    "odd_lazy": "def __getattr__(name): raise ImportError('Heavy needs a library')",
    "odd_lazy_exits": "def __getattr__(name): raise SystemExit(5)",
    "odd_home": "class Step:\n    __module__ = 7\n    def run(self, data): ...",
    "odd_package/__init__": "",
    "odd_package/__main__": "raise SystemExit(0)",
}


def write_modules(folder: Path) -> list[str]:
    """Write them and return what names them in a definition."""
    for name, text in ODD_MODULES.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return [name.replace("/", ".").removesuffix(".__init__") for name in ODD_MODULES]


def forget_modules() -> None:
    """Let each be imported again."""
    for name in [name for name in sys.modules if name.startswith("odd_")]:
        del sys.modules[name]
