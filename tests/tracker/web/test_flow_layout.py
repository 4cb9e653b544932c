"""A flow is drawn from top to bottom, whatever its shape."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracker_service.web.flow_layout import (
    MAX_DRAWN_STEPS,
    NODE_HEIGHT,
    NODE_WIDTH,
    Layout,
    lay_out,
)


def graph(*paths: tuple[str, str], steps: str = "") -> dict[str, Any]:
    """Return the API's graph of paths between steps named by letters; `end` ends a branch."""
    names = list(dict.fromkeys([*steps, *(n for path in paths for n in path if n != "end")]))
    edges = [{"from_step": a, "to_step": b, "ends": b == "end", "taken": None} for a, b in paths]
    return {"start_at": names[0], "nodes": [{"step_id": n} for n in names], "edges": edges}


def heights(layout: Layout | None) -> dict[str, float]:
    """Return how far down each step stands."""
    assert layout is not None
    return {placed.node["step_id"]: placed.y for placed in layout.nodes}


def test_a_step_stands_below_all_that_lead_to_it() -> None:
    down = heights(lay_out(graph(("a", "b"), ("a", "c"), ("b", "d"), ("c", "e"), ("e", "d"))))

    assert down["a"] < down["b"] == down["c"] < down["e"] < down["d"]


def test_a_path_back_is_drawn_around() -> None:
    layout = lay_out(graph(("a", "b"), ("b", "a"), ("b", "c")))

    assert layout is not None
    assert [edge.backward for edge in layout.edges] == [False, True, False]


def test_a_path_passes_beneath_no_step_that_it_does_not_belong_to() -> None:
    """From the first to the last of three in a row it goes around the one between."""
    layout = lay_out(graph(("a", "b"), ("b", "c"), ("a", "c")))

    assert layout is not None
    across = {placed.node["step_id"]: placed.x for placed in layout.nodes}
    around = [float(x) for x in re.findall(r"([\d.]+) [\d.]+V", layout.edges[2].line)]
    assert all(abs(x - across["b"]) > NODE_WIDTH / 2 for x in around[1:])
    assert len(around) == 2


def test_an_end_marker_is_no_step() -> None:
    layout = lay_out(graph(("a", "end")))

    assert layout is not None
    assert (len(layout.nodes), layout.edges) == (1, ())


def test_what_is_far_too_large_is_not_drawn() -> None:
    nodes = [{"step_id": str(n)} for n in range(MAX_DRAWN_STEPS + 1)]

    assert lay_out({"start_at": "0", "nodes": nodes, "edges": []}) is None
    assert lay_out({"start_at": None, "nodes": [], "edges": []}) is None


LETTERS = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(LETTERS, LETTERS), max_size=24), st.booleans())
def test_no_two_steps_overlap_and_all_stand_on_the_paper(
    paths: list[tuple[str, str]], start_known: bool
) -> None:
    """Loops, steps nothing leads to, doubled paths: any graph the API may tell of."""
    told = graph(*paths, steps="abcdefgh")
    layout = lay_out(told if start_known else told | {"start_at": None})

    assert layout is not None
    boxes = [(placed.x, placed.y) for placed in layout.nodes]
    for n, (x, y) in enumerate(boxes):
        assert NODE_WIDTH / 2 <= x <= layout.width - NODE_WIDTH / 2
        assert NODE_HEIGHT / 2 <= y <= layout.height - NODE_HEIGHT / 2
        for x2, y2 in boxes[n + 1 :]:
            assert abs(x - x2) >= NODE_WIDTH or abs(y - y2) >= NODE_HEIGHT
    assert len(layout.edges) == len(paths)


@given(st.lists(st.tuples(LETTERS, LETTERS), max_size=24))
def test_paths_that_lead_down_close_no_cycle(paths: list[tuple[str, str]]) -> None:
    layout = lay_out(graph(*paths, steps="abcdefgh"))

    down = heights(layout)
    assert layout is not None
    for edge in layout.edges:
        a, b = edge.edge["from_step"], edge.edge["to_step"]
        assert edge.backward == (down[a] >= down[b])
