"""Templates into answers, with the headers every page has."""

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from jinja2 import StrictUndefined

from tracker_service.web.forms import fields
from tracker_service.web.template_filters import FILTERS

FOLDER: Final = Path(str(files("tracker_service.web")))
# Nothing comes from elsewhere and nothing is written into the page: no inline script or style.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
THEMES: Final = frozenset({"light", "dark"})

_templates = Jinja2Templates(FOLDER / "templates")
_templates.env.undefined = StrictUndefined
_templates.env.trim_blocks = True
_templates.env.lstrip_blocks = True
_templates.env.filters |= FILTERS
_templates.env.globals["fields_of"] = fields


def page(request: Request, name: str, found: dict[str, Any], status: int = 200) -> Response:
    """Return a page drawn from a template; `fragment` in the query leaves its frame out."""
    theme = request.cookies.get("theme", "")
    context = {
        "theme": theme if theme in THEMES else "",
        "frame": "empty.html" if "fragment" in request.query_params else "frame.html",
        "path": request.url.path,
        "query": request.query_params,
        **found,
    }
    return _templates.TemplateResponse(request, name, context, status_code=status, headers=HEADERS)
