"""The page mounted on the API's application: routes, files, and problems as pages."""

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from tracker_service.web import pages
from tracker_service.web.asking import ApiProblem
from tracker_service.web.rendering import FOLDER


def install(app: FastAPI) -> None:
    """Serve the page beside the API."""
    app.include_router(pages.router)
    app.add_exception_handler(ApiProblem, pages.show_problem)
    app.add_exception_handler(HTTPException, pages.show_missing)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
