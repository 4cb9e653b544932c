"""Values kept in the payload store, one at a time and only on request."""

import json
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from steplog_contracts.data_ref import keys_of
from tracker_service.http_api import schemas
from tracker_service.http_api.masking import Mask
from tracker_service.http_api.problems import NotFound
from tracker_service.http_api.query_context import AskedOfExecution
from tracker_service.store.queries import StoredValue

Sha256InPath = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]

_JSON: Final = "application/json"

router = APIRouter(prefix="/api/executions/{execution_id}", tags=["executions"])


@router.get(
    "/payloads/{sha256}",
    responses={
        200: {"description": "The value, as JSON, secrets masked.", "content": {_JSON: {}}},
        **schemas.problems(404, 410, 413, 503),
    },
)
async def get_payload(one: AskedOfExecution, sha256: Sha256InPath) -> Response:
    """Return a value that a record of the execution has in its `references`."""
    found = await one.parts.model.stored_payload(one.execution_id, sha256)
    if found is None:
        raise NotFound(f"No record of execution {one.execution_id} refers to {sha256}.")
    data = await one.parts.reader.read(found.reference)
    mask = await one.parts.masks.of_execution(one.row)
    return Response(_masked(data, found, mask) if mask else data, media_type=_JSON)


def _masked(data: bytes, found: StoredValue, mask: Mask) -> bytes:
    """Return a value with secrets masked, as they are where it belongs."""
    value = json.loads(data)
    for place in found.places:
        _field, *keys = keys_of(place)
        value = mask.value({keys[0]: value})[keys[0]] if keys else mask.value(value)
    return json.dumps(value).encode()
