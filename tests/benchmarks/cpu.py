"""CPU seconds of processes and everything they started, children gone included."""

import psutil


class CpuMeter:
    """Reads named process trees; `since_last` is what they used since the last reading."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._last = self._read()

    def since_last(self) -> dict[str, float]:
        """Return CPU seconds by name since the last call or the beginning."""
        now = self._read()
        used = {name: now[name] - self._last.get(name, 0.0) for name in now}
        self._last = now
        return used

    def _read(self) -> dict[str, float]:
        return {name: _tree_seconds(pid) for name, pid in self._pids.items()}


def _tree_seconds(pid: int) -> float:
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        # Of children that have ended; those still running are counted themselves.
        total += times.children_user + times.children_system
    return total
