"""The page mounted on the API's application: routes, files, and problems as pages."""

from typing import Final

from fastapi import Depends, FastAPI, Request
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from tracker_service.http_api.known_parameters import refused_parameter
from tracker_service.web import pages
from tracker_service.web.api_client import ApiProblem
from tracker_service.web.page_response import FOLDER

# Asks for the inside of a page alone.
_FRAGMENT: Final = "fragment"


async def known_on_page(request: Request) -> None:
    """Refuse a parameter that the page does not take, with a page that says so."""
    refusal = refused_parameter(request, _FRAGMENT)
    if refusal is not None:
        raise ApiProblem(422, refusal)


def install(app: FastAPI) -> None:
    """Serve the page beside the API."""
    app.include_router(pages.router, dependencies=[Depends(known_on_page)])
    app.add_exception_handler(ApiProblem, pages.show_problem)
    app.add_exception_handler(HTTPException, pages.show_missing)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
