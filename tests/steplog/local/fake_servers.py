"""Servers that only remember what was asked of them."""

from dataclasses import dataclass, field


@dataclass
class FakeRunning:
    """Ends when a test says so."""

    pid: int | None = 1
    exit_code: int | None = None
    log: str = "nowhere"
    last_words: str = "goodbye"
    stopped: bool = False

    def ask_to_stop(self) -> None:
        """Take note of nothing."""

    def stop(self) -> None:
        """Remember it."""
        self.stopped = True


@dataclass
class FakeServer:
    """Ready when a test says so."""

    name: str = "kafka"
    kind: str = "local"
    address: str = "somewhere"
    ready: bool = True
    started: list[FakeRunning] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    def start(self) -> FakeRunning:
        """Remember one more start."""
        self.started.append(FakeRunning(pid=len(self.started) + 1))
        return self.started[-1]

    def is_ready(self) -> bool:
        """Answer as told."""
        return self.ready


@dataclass
class FakeClock:
    """Moves when told."""

    now_s: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s
