"""Any JSON as a command or a definition, any bytes as a record: the next command is run."""

import contextlib
import json
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executor_service.definitions.blueprint import compile_definition
from executor_service.definitions.step_loader import Allowlist
from executor_service.errors import DefinitionRefused
from steplog_contracts.envelope import Record
from steplog_contracts.payload import JsonObject, JsonValue
from tests.executor.support import people_steps
from tests.executor.support.odd_commands import STEP, headers
from tests.executor.support.partition_harness import Owning

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
definition_keys = st.sampled_from(
    ["name", "steps", "flow", "id", "module", "step_class", "config", "inputs", "input_schema",
     "error_handling", "retry", "condition", "then", "paths", "from", "to", "start_at", "type",
     "parameters", "outputs", "loop_config", "secrets", "all", "not", "source", "operator", "value"]
)  # fmt: skip
definition_like = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["a", "end"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(definition_keys, inner, max_size=6),
    max_leaves=30,
)
whole_definitions = st.fixed_dictionaries(
    {
        "name": st.just("any"),
        "steps": st.lists(
            st.dictionaries(definition_keys, definition_like, max_size=4).map(
                lambda step: {**STEP, **step}
            ),
            min_size=1,
            max_size=3,
        ),
        "flow": st.dictionaries(definition_keys, definition_like, max_size=3).map(
            lambda flow: {"start_at": "a", **flow}
        ),
    },
    optional={
        "input_schema": definition_like,
        "outputs": definition_like,
        "loop_config": definition_like,
    },
)
# Two seconds where nothing else runs.
AT_MOST_S = 20.0
PROPERTY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


async def _answered(owning: Owning, record: Record) -> None:
    await owning.send_record(record)
    await owning.run("after", "Quick")

    answers = len(owning.refusals()) + len(owning.set_aside) + len(owning.kinds("e")[:1])
    assert answers == 1
    assert owning.kinds("after")[-1] == "ExecutionCompleted"


@PROPERTY
@given(payload=json_values | definition_like)
async def test_any_json_as_a_command_is_answered(payload: JsonValue) -> None:
    owning = await Owning().begin()
    said = payload if isinstance(payload, dict) else {"definition": payload}

    value = json.dumps({**said, "execution_id": "e"}).encode()
    await _answered(owning, Record(b"e", value, headers()))


@PROPERTY
@given(definition=whole_definitions | definition_like)
async def test_any_json_as_a_definition_is_answered(definition: JsonValue) -> None:
    owning = await Owning().begin()

    value = json.dumps({"execution_id": "e", "definition": definition}).encode()
    await _answered(owning, Record(b"e", value, headers()))


@PROPERTY
@given(
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(),
    given_headers=st.lists(
        st.tuples(
            st.sampled_from([name for name, _ in headers()] + ["content-type"]) | st.text(),
            st.none() | st.binary(max_size=30) | st.sampled_from([v for _, v in headers()]),
        )
    ),
)
async def test_any_bytes_and_headers_are_answered(
    key: bytes | None, value: bytes | None, given_headers: list[tuple[str, bytes]]
) -> None:
    owning = await Owning().begin()

    await owning.send_record(Record(key, value, given_headers))
    await owning.run("after", "Quick")

    assert len(owning.refusals()) + len(owning.set_aside) == 1
    assert owning.kinds("after")[-1] == "ExecutionCompleted"


@PROPERTY
@given(definition=whole_definitions)
def test_any_definition_compiles_or_is_refused(definition: JsonObject) -> None:
    began = time.monotonic()

    with contextlib.suppress(DefinitionRefused):
        compile_definition(definition, Allowlist([people_steps.__name__]))

    assert time.monotonic() - began < AT_MOST_S
