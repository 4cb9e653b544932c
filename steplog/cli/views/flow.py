"""An execution's flow, drawn in the terminal with the state of each step."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from rich.markup import escape
from rich.text import Text

from steplog.cli.views.console import STATUS_STYLES, duration

SIGNS: Final[Mapping[str, str]] = {
    "completed": "✓",
    "failed": "✗",
    "running": "●",
    "waiting_for_human": "?",
    "skipped": "-",
    "cancelled": "■",
}
Edge = Mapping[str, Any]


def drawn_flow(graph: Mapping[str, Any]) -> Text:
    """Return the drawing of an answer of the API; paths that were not taken are dim."""
    flow = _Flow(graph)
    start = graph["start_at"]
    if start is None:
        # Recorded without its definition: what was visited is known, paths are not.
        return Text("\n").join(Text.from_markup(flow.titled(name)) for name in flow.nodes)
    lines, drawn = [flow.titled(start)], {start}
    # A stack of its own: a chain of thousands of steps is drawn without recursion.
    stack = [flow.branches(start, "")]
    while stack:
        branch = next(stack[-1], None)
        if branch is None:
            stack.pop()
            continue
        edge, arrow, below = branch
        step_id, again = edge["to_step"], edge["to_step"] in drawn
        lines.append(flow.line(edge, arrow, again=again))
        if not edge["ends"] and not again:
            drawn.add(step_id)
            stack.append(flow.branches(step_id, below))
    return Text("\n").join(Text.from_markup(line) for line in lines)


class _Flow:
    def __init__(self, graph: Mapping[str, Any]) -> None:
        self.nodes = {node["step_id"]: node for node in graph["nodes"]}
        self._leaving: dict[str, list[Edge]] = {}
        for edge in graph["edges"]:
            self._leaving.setdefault(edge["from_step"], []).append(edge)

    def branches(self, step_id: str, indent: str) -> Iterator[tuple[Edge, str, str]]:
        """Yield the paths that leave a step, each with its arrow and the indent below it."""
        leaving = self._leaving.get(step_id, [])
        if len(leaving) == 1:
            # A chain goes straight down instead of ever further to the right.
            yield leaving[0], f"{indent}└─▶ ", indent
            return
        for edge in leaving:
            last = edge is leaving[-1]
            yield edge, f"{indent}{'└' if last else '├'}─▶ ", f"{indent}{' ' if last else '│'}   "

    def line(self, edge: Edge, arrow: str, *, again: bool) -> str:
        """Return one path and the step it leads to."""
        name = escape(edge["to_step"]) if edge["ends"] or again else self.titled(edge["to_step"])
        label = _label(edge)
        told = f"{name}{' (see above)' if again else ''}" + (f"   if {label}" if label else "")
        return f"[dim]{arrow}{told}[/]" if edge["taken"] is False else f"{arrow}{told}"

    def titled(self, step_id: str) -> str:
        """Return a step with its state."""
        node = self.nodes.get(step_id)
        if node is None:
            return escape(step_id)
        state = node["state"]
        name = node["step_name"]
        title = escape(step_id if name in (None, step_id) else f"{step_id} ({name})")
        visits = f" in {node['visits']} visits" if node["visits"] > 1 else ""
        tries = f" at try {node['attempt']}" if node["attempt"] > 1 else ""
        sign = f"[{STATUS_STYLES.get(state, 'dim')}]{SIGNS.get(state, '·')}[/]"
        said = "" if state == "not_reached" else f" [dim]{state.replace('_', ' ')}[/]"
        return f"{sign} {title}{said}[dim]{visits}{tries}{_took(node)}[/]"


def _took(node: Mapping[str, Any]) -> str:
    if node["started_at"] is None or node["completed_at"] is None:
        return ""
    began, ended = (datetime.fromisoformat(node[key]) for key in ("started_at", "completed_at"))
    return f" {duration((ended - began).total_seconds() * 1000)}"


def _label(edge: Edge) -> str:
    if not edge["condition"] and edge["branch"] is None and not edge.get("errors"):
        return ""
    # Loading the executor takes longer than most commands do.
    from executor_service.definitions.diagram import edge_label  # noqa: PLC0415

    return escape(edge_label(edge["condition"], edge["branch"], edge.get("errors")))
