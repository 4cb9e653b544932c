"""A flow as an indented outline for a terminal: which path comes after which, and its arrow."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

EdgeT = TypeVar("EdgeT")


def outline(
    start: str,
    leaving: Callable[[str], Sequence[EdgeT]],
    opened: Callable[[EdgeT], tuple[str, bool]],
) -> Iterator[tuple[EdgeT, str, bool]]:
    """Yield each path with its arrow, and whether its step stands further up already.

    `leaving` returns the paths out of a step, `opened` where a path leads and whether that is a
    step. A step is opened where it is met first.
    """
    drawn = {start}
    # A stack of its own: a chain of thousands of steps is drawn without recursion.
    stack = [_branches(leaving(start), "")]
    while stack:
        branch = next(stack[-1], None)
        if branch is None:
            stack.pop()
            continue
        edge, arrow, below = branch
        to_step, is_step = opened(edge)
        again = to_step in drawn
        yield edge, arrow, again
        if is_step and not again:
            drawn.add(to_step)
            stack.append(_branches(leaving(to_step), below))


def _branches(leaving: Sequence[EdgeT], indent: str) -> Iterator[tuple[EdgeT, str, str]]:
    if len(leaving) == 1:
        # A chain goes straight down instead of ever further to the right.
        yield leaving[0], f"{indent}└─▶ ", indent
        return
    for position, edge in enumerate(leaving, 1):
        last = position == len(leaving)
        yield edge, f"{indent}{'└' if last else '├'}─▶ ", f"{indent}{' ' if last else '│'}   "
