"""`/docs`: every operation of the OpenAPI document on one page, with nothing fetched or run."""

from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

_METHODS: Final = ("get", "post", "delete")
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>steplog API</title><link rel="stylesheet" href="/static/page.css"></head>
<body><main><h1>steplog API</h1>
<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>
{operations}</main></body></html>"""

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def get_reference(request: Request) -> HTMLResponse:
    """Show the operations."""
    document: dict[str, Any] = request.app.openapi()
    operations = "".join(
        _operation(method, path, item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    )
    return HTMLResponse(_PAGE.format(operations=operations))


def _operation(method: str, path: str, told: dict[str, Any]) -> str:
    parameters = "".join(_parameter(one) for one in told.get("parameters", ()))
    answers = ", ".join(told.get("responses", ()))
    listed = f"<dl>{parameters}</dl>" if parameters else ""
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(told.get('description', ''))}</p>{listed}"
        f'<p class="dim">Answers: {escape(answers)}.</p></section>'
    )


def _parameter(told: dict[str, Any]) -> str:
    about = told.get("description") or told.get("schema", {}).get("description", "")
    place = "in the path" if told["in"] == "path" else f"{told['in']}, optional"
    return (
        f"<dt><code>{escape(told['name'])}</code> <small>{place}</small></dt>"
        f"<dd>{escape(about)}</dd>"
    )
