"""Where the steps of a flow stand on paper: ranks from top to bottom, as few crossings as cheap.

Ranks are longest distances from the start with the paths that close a cycle left out; within a
rank steps are ordered by the mean place of their neighbours, swept down and up a few times
(Sugiyama, Tagawa and Toda, 1981). A path over several ranks has a place of its own in each rank
between, so that it passes beneath no step. Pure: from the API's graph to coordinates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

NODE_WIDTH: Final = 168
NODE_HEIGHT: Final = 40
GAP_X: Final = 24
GAP_Y: Final = 34
MARGIN: Final = 12
SWEEPS: Final = 4
# Beyond this a drawing helps nobody; the list of steps does.
MAX_DRAWN_STEPS: Final = 1_200
# With more places than that in the ranks between, paths are drawn straight.
MAX_PLACES_BETWEEN: Final = 600
# The places of a path in the ranks between its ends, by its number among the paths.
Between = Mapping[int, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Placed:
    """A step with the middle of its box."""

    node: Mapping[str, Any]
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A path of the flow as an SVG path; `backward` closes a cycle."""

    edge: Mapping[str, Any]
    line: str
    backward: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """A flow on paper, in pixels."""

    nodes: tuple[Placed, ...]
    edges: tuple[Drawn, ...]
    width: float
    height: float


def lay_out(graph: Mapping[str, Any]) -> Layout | None:
    """Return the drawing of the API's graph; None where it has no steps or far too many."""
    nodes: Sequence[Mapping[str, Any]] = graph["nodes"]
    if not nodes or len(nodes) > MAX_DRAWN_STEPS:
        return None
    inner = [edge for edge in graph["edges"] if not edge["ends"]]
    ranks = _ranks([node["step_id"] for node in nodes], inner, graph["start_at"])
    between, of_places = _between(inner, ranks)
    rows = _ordered(_rows(ranks | of_places), _stretches(inner, between))
    places = _places(rows)
    placed = tuple(Placed(node, *places[node["step_id"]]) for node in nodes)
    drawn = tuple(
        _drawn(edge, places, ranks, between.get(number, ())) for number, edge in enumerate(inner)
    )
    width = max(len(row) for row in rows) * (NODE_WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    loops = any(edge.backward for edge in drawn)
    height = len(rows) * (NODE_HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN
    return Layout(placed, drawn, width + (2 * GAP_X if loops else 0), height)


def _between(
    edges: Sequence[Mapping[str, Any]], ranks: Mapping[str, int]
) -> tuple[Between, dict[str, int]]:
    """Return the places that paths take in the ranks between their ends, and each one's rank."""
    between: dict[int, list[str]] = {}
    of_places: dict[str, int] = {}
    for number, edge in enumerate(edges):
        crossed = range(ranks[edge["from_step"]] + 1, ranks[edge["to_step"]])
        if not crossed:
            continue
        # No step's id has a null character in it.
        between[number] = [f"\0{number}:{rank}" for rank in crossed]
        of_places |= dict(zip(between[number], crossed, strict=True))
        if len(of_places) > MAX_PLACES_BETWEEN:
            return {}, {}
    return between, of_places


def _stretches(edges: Sequence[Mapping[str, Any]], between: Between) -> Sequence[Mapping[str, Any]]:
    """Return the paths from each rank to the next."""
    found: list[Mapping[str, Any]] = []
    for number, edge in enumerate(edges):
        stops = [edge["from_step"], *between.get(number, ()), edge["to_step"]]
        found += [{"from_step": a, "to_step": b} for a, b in pairwise(stops)]
    return found


def _ranks(
    steps: Sequence[str], edges: Sequence[Mapping[str, Any]], start_at: str | None
) -> dict[str, int]:
    following: dict[str, list[str]] = {step: [] for step in steps}
    for edge in edges:
        following[edge["from_step"]].append(edge["to_step"])
    forward = _without_cycles(following, [start_at, *steps] if start_at in following else steps)
    ranks = dict.fromkeys(steps, 0)
    for step in forward:
        for after in following[step]:
            if forward[after] > forward[step]:
                ranks[after] = max(ranks[after], ranks[step] + 1)
    return ranks


def _without_cycles(
    following: Mapping[str, Sequence[str]], roots: Sequence[str | None]
) -> dict[str, int]:
    """Return the steps in an order in which every path leads on, but for those closing a cycle."""
    finished: list[str] = []
    seen: set[str] = set()
    for root in roots:
        if root is None or root in seen:
            continue
        seen.add(root)
        trail = [(root, iter(following[root]))]
        while trail:
            step, left = trail[-1]
            after = next((one for one in left if one not in seen), None)
            if after is None:
                trail.pop()
                finished.append(step)
            else:
                seen.add(after)
                trail.append((after, iter(following[after])))
    return {step: place for place, step in enumerate(reversed(finished))}


def _rows(ranks: Mapping[str, int]) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in range(max(ranks.values()) + 1)]
    for step, rank in ranks.items():
        rows[rank].append(step)
    return [row for row in rows if row]


def _ordered(rows: list[list[str]], edges: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for edge in edges:
        above.setdefault(edge["to_step"], []).append(edge["from_step"])
        below.setdefault(edge["from_step"], []).append(edge["to_step"])
    for sweep in range(SWEEPS):
        neighbours, order = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        place = {step: (n + 0.5) / len(row) for row in rows for n, step in enumerate(row)}
        for row in order:
            row.sort(key=lambda step: _mean_place(step, neighbours, place))
            place |= {step: (n + 0.5) / len(row) for n, step in enumerate(row)}
    return rows


def _mean_place(
    step: str, neighbours: Mapping[str, Sequence[str]], place: Mapping[str, float]
) -> float:
    near = neighbours.get(step)
    return sum(place[one] for one in near) / len(near) if near else place[step]


def _places(rows: Sequence[Sequence[str]]) -> dict[str, tuple[float, float]]:
    widest = max(len(row) for row in rows)
    places = {}
    for rank, row in enumerate(rows):
        indent = (widest - len(row)) / 2
        for n, step in enumerate(row):
            x = MARGIN + NODE_WIDTH / 2 + (n + indent) * (NODE_WIDTH + GAP_X)
            y = MARGIN + NODE_HEIGHT / 2 + rank * (NODE_HEIGHT + GAP_Y)
            places[step] = (x, y)
    return places


def _drawn(
    edge: Mapping[str, Any],
    places: Mapping[str, tuple[float, float]],
    ranks: Mapping[str, int],
    between: Sequence[str],
) -> Drawn:
    x1, y1 = places[edge["from_step"]]
    x2, y2 = places[edge["to_step"]]
    if ranks[edge["to_step"]] > ranks[edge["from_step"]]:
        stops = [(x1, y1), *(places[place] for place in between), (x2, y2)]
        line = f"M{x1:g} {y1 + NODE_HEIGHT / 2:g}"
        line += "".join(_down(above, below) for above, below in pairwise(stops))
        return Drawn(edge, line, backward=False)
    # Around the right side, so that it crosses no box of its own column.
    side = NODE_WIDTH / 2
    out = max(x1, x2) + side + GAP_X * 1.5
    line = f"M{x1 + side:g} {y1:g}C{out:g} {y1:g} {out:g} {y2:g} {x2 + side:g} {y2:g}"
    return Drawn(edge, line, backward=True)


def _down(above: tuple[float, float], below: tuple[float, float]) -> str:
    """Return the line from under one place to the top of the next, past the height of a box."""
    (x1, y1), (x2, y2) = above, below
    top, bottom = y1 + NODE_HEIGHT / 2, y2 - NODE_HEIGHT / 2
    bend = (bottom - top) / 2
    curve = f"C{x1:g} {top + bend:g} {x2:g} {bottom - bend:g} {x2:g} {bottom:g}"
    return f"V{top:g}{curve}"
