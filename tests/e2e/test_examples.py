"""Every example runs through the service, and its rows say what its description says."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from executor_service.adapters.system_clock import SystemClock
from steplog_contracts.codec import encode_command
from steplog_contracts.commands import Command, ResumeExecution, RunPipeline
from steplog_contracts.envelope import Record, SentCommand
from tests.benchmarks.load import send_all
from tests.conftest import ServicesFactory
from tests.e2e.rows import row_with_status
from tests.services import create_topics

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
INPUTS: dict[str, dict[str, Any]] = {
    "loan_decision": {"monthly_income": 1000, "monthly_debt": 900},
    "square_root": {"number": 2},
    "article_approval": {"topic": "why logs are enough"},
    "exchange_rate": {"pair": "EUR/USD", "amount": 100, "fails_first": 2},
    "order_fulfilment": {"items": [{"cents": 250, "pieces": 2, "shelf": "B"}], "gift_for": "Ida"},
    "seattle_weather": {"without": "fog"},
    "stock_prices": {},
}
WRITE_FILES = ("seattle_weather", "stock_prices")


def a_record(command: Command, command_id: str) -> Record:
    """Return the record of a command."""
    return encode_command(SentCommand(command_id, "/test", SystemClock().now(), command))


def run_example(name: str, reports: Path) -> Record:
    """Return the command that runs an example under its own name."""
    definition = json.loads(Path("examples", name, "pipeline.json").read_text())
    parameters = {"output_dir": str(reports)} if name in WRITE_FILES else {}
    command = RunPipeline(
        execution_id=name, definition=definition, input=INPUTS[name], parameters=parameters
    )
    return a_record(command, f"run-{name}")


def text_of(file: str) -> str:
    """Return a report that stands beside its plot."""
    plot = Path(file).with_name("plot.png")
    assert plot.read_bytes().startswith(b"\x89PNG")
    return Path(file).read_text()


async def test_every_example_runs_through_the_service(
    make_services: ServicesFactory, tmp_path: Path
) -> None:
    services = make_services("examples.*")
    await create_topics(services.bootstrap_servers, services.topics)
    services.start_executor()
    services.start_tracker()
    database = await asyncpg.connect(services.database_url)
    async with AIOKafkaProducer(bootstrap_servers=services.bootstrap_servers) as producer:
        runs = [run_example(name, tmp_path) for name in INPUTS]
        await send_all(producer, services.topics, runs)
        await row_with_status(database, "article_approval", "waiting_for_human")
        answer = ResumeExecution(
            execution_id="article_approval", human_input={"verdict": "publish"}
        )
        await send_all(producer, services.topics, [a_record(answer, "answer")])
    outputs = {}
    for name in INPUTS:
        row = await row_with_status(database, name, "completed")
        outputs[name] = json.loads(row["output_data"])
    await database.close()

    assert outputs["loan_decision"]["decision"] == "refused"
    assert outputs["square_root"]["root"] == pytest.approx(2**0.5)
    assert outputs["article_approval"]["published"] == "why logs are enough"
    assert outputs["exchange_rate"]["rate_from"] == "service"
    assert outputs["order_fulfilment"]["label"].endswith("note: For Ida")
    assert outputs["stock_prices"]["ranking"] == ["AAPL", "GOOG", "AMZN", "IBM", "MSFT"]
    assert outputs["stock_prices"]["months"]["worst_month"]["percent"] < 0
    assert text_of(outputs["seattle_weather"]["report"]).startswith("# Seattle's weather")


def test_no_example_is_left_out() -> None:
    assert {path.parent.name for path in Path("examples").glob("*/pipeline.json")} == set(INPUTS)
