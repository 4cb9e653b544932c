"""The page asks the API as any client would, within this process: same answers, rights, masks."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
from fastapi import Request

from tracker_service.http_api.middleware.caller import in_process

# What says who asks; anything else of the page's request is the page's own business.
_CARRIED: Final = (b"authorization", b"cookie", b"host")
_URL: Final = "http://page"
_ACTING: Final = frozenset({"operator", "admin"})

Parameter = str | int | Sequence[str] | None


class ApiProblem(Exception):
    """The API answered with a problem; the page shows it."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Api:
    """The API of this application, for one request of the page."""

    def __init__(self, request: Request) -> None:
        # As the bytes they came as: a header may hold what is no ASCII.
        carried = [(name, value) for name, value in request.headers.raw if name in _CARRIED]
        carried.append((b"accept-encoding", b"identity"))  # Nothing travels: nothing to pack.
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(in_process(request.app)), base_url=_URL, headers=carried
        )

    async def get(self, path: str, **parameters: Parameter) -> Any:
        """Return an answer's body.

        Raises:
            ApiProblem: it is a problem.
        """
        return await self.ask(path, {k: v for k, v in parameters.items() if v not in (None, "")})

    async def may_act(self) -> bool:
        """Return whether who asks may send commands."""
        return (await self.get("/api/session"))["role"] in _ACTING

    async def ask(self, path: str, parameters: Mapping[str, Any]) -> Any:
        """Return an answer's body, for parameters whose names are no identifiers."""
        response = await self._http.get(path, params=dict(parameters))
        if response.is_success:
            return response.json()
        try:
            detail = str(response.json()["detail"])
        except (ValueError, KeyError, TypeError):
            detail = response.reason_phrase
        raise ApiProblem(response.status_code, detail)
