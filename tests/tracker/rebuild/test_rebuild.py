"""Rows made again from the log equal the live ones and take their place."""

import asyncpg
import pytest

from tests.house.test_roles import Logins, logins  # noqa: F401 - a fixture
from tests.tracker.rebuild.world import World
from tracker_service.rebuild.errors import RebuildRefused
from tracker_service.rebuild.rebuild import drop_old
from tracker_service.rebuild.request import Unwatched
from tracker_service.store.postgres.read_model import PostgresReadModel
from tracker_service.store.postgres.shadow.ledger import take_lock
from tracker_service.store.postgres.shadow.schema import SHADOW_SCHEMA

pytestmark = [pytest.mark.broker, pytest.mark.database]


async def test_a_rebuild_equals_the_live_rows_and_replaces_them(filled: World) -> None:
    before = await filled.rows()

    report = await filled.rebuild()

    assert report.tally.total == 0
    assert report.swapped
    assert await filled.rows() == before
    assert await filled.schemas() == [report.old_schema]
    assert await filled.rows(str(report.old_schema)) == before


async def test_a_worker_goes_on_from_the_rows_that_were_swapped_in(filled: World) -> None:
    await filled.rebuild()
    await filled.append_executions(2)  # The same ids again: repeats, which change nothing.
    await filled.project()

    report = await filled.rebuild()

    assert report.tally.total == 0


async def test_a_dry_run_reports_what_was_tampered_with_and_changes_nothing(
    filled: World,
) -> None:
    tampered = await filled.tamper()
    before = await filled.rows()

    report = await filled.rebuild(swaps=False)

    found = {example.kind: example.execution_id for example in report.examples}
    assert found == tampered
    changed = next(one for one in report.examples if one.kind == "changed")
    assert changed.columns["completed_steps"] == ("99", "2")
    assert changed.columns["output_data"] == ('{"forged": 1}', '{"done":true}')
    assert report.tally.kinds[("step_executions", "only_in_log")] == 2
    assert await filled.rows() == before
    assert await filled.schemas() == []


async def test_a_rebuild_mends_what_was_tampered_with(filled: World) -> None:
    before = await filled.rows()
    await filled.tamper()

    report = await filled.rebuild()

    assert report.tally.total == 4
    assert await filled.rows() == before


async def test_rows_can_be_built_into_a_schema_and_left_there(filled: World) -> None:
    report = await filled.rebuild(schema="second", swaps=False, keeps=True)

    assert report.kept_schema == "second"
    assert await filled.rows("second") == await filled.rows()


async def test_replaced_tables_stay_until_they_are_dropped(filled: World) -> None:
    first, second = await filled.rebuild(), await filled.rebuild()

    dropped = await drop_old(filled.url)

    assert dropped == [first.old_schema, second.old_schema]
    assert await filled.schemas() == []


async def test_rows_that_were_lost_come_back(filled: World) -> None:
    before = await filled.rows()
    await filled.fetch("TRUNCATE pipeline_executions, step_executions")

    await filled.rebuild()

    assert await filled.rows() == before


async def test_two_rebuilds_at_once_are_one_too_many(filled: World) -> None:
    other = await asyncpg.connect(filled.url)
    await take_lock(other)

    with pytest.raises(RebuildRefused, match="Another rebuild"):
        await filled.rebuild()
    await other.close()


class BreaksOff(Unwatched):
    """A watcher that breaks a rebuild off where it begins to compare."""

    def stage(self, name: str) -> None:
        """Break off."""
        if name == "comparing":
            raise RuntimeError("broken off")


async def test_autovacuum_keeps_off_while_tables_are_built_and_comes_back(filled: World) -> None:
    options = "SELECT reloptions FROM pg_class WHERE oid = '{}.step_executions'::regclass"
    live = await filled.fetch(options.format("public"))

    with pytest.raises(RuntimeError, match="broken off"):
        await filled.rebuild(BreaksOff())
    during = await filled.fetch(options.format(SHADOW_SCHEMA))
    await filled.rebuild()

    assert "autovacuum_enabled=false" in during[0][0]
    assert await filled.fetch(options.format("public")) == live


async def test_how_far_a_rebuild_has_come_can_be_asked_while_it_is_under_way(
    filled: World,
) -> None:
    model = PostgresReadModel(filled.url)
    await model.open()
    before = await model.rebuild()
    with pytest.raises(RuntimeError, match="broken off"):
        await filled.rebuild(BreaksOff())
    meanwhile = await model.rebuild()
    await filled.rebuild()
    afterwards = await model.rebuild()
    await model.close()

    assert (before, afterwards) == (None, None)
    assert meanwhile is not None
    assert meanwhile["partitions_copied"] == meanwhile["partitions"] == 4
    assert meanwhile["events_copied"] == meanwhile["events"] == sum(filled.ends.values())


async def test_the_owner_rebuilds_and_worker_and_api_keep_their_rights(
    world: World,
    logins: Logins,  # noqa: F811
) -> None:
    admin_url, world.url = world.url, logins.url("owner")
    await world.append_executions(2)
    await world.project()

    await world.rebuild()

    world.url = logins.url("tracker")
    await world.append_executions(3)
    await world.project()
    world.url = logins.url("reader")
    rows = await world.fetch("SELECT count(*) FROM pipeline_executions")
    world.url = admin_url
    assert rows[0][0] == 16
