"""An execution's flow, drawn in the terminal with the state of each step."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.markup import escape
from rich.text import Text

from steplog.cli.views.console import STATUS_STYLES, duration
from steplog_contracts.flow_outline import outline

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
    lines = [flow.titled(start)]
    lines += [flow.line(*one) for one in outline(start, flow.leaving, _target)]
    return Text("\n").join(Text.from_markup(line) for line in lines)


def _target(edge: Edge) -> tuple[str, bool]:
    return edge["to_step"], not edge["ends"]


class _Flow:
    def __init__(self, graph: Mapping[str, Any]) -> None:
        self.nodes = {node["step_id"]: node for node in graph["nodes"]}
        self._leaving: dict[str, list[Edge]] = {}
        for edge in graph["edges"]:
            self._leaving.setdefault(edge["from_step"], []).append(edge)

    def leaving(self, step_id: str) -> Sequence[Edge]:
        """Return the paths out of a step."""
        return self._leaving.get(step_id, ())

    def line(self, edge: Edge, arrow: str, again: bool) -> str:
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
