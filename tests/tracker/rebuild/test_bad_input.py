"""Where the past can't be folded again: a clear answer, and nothing changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from tests.house.test_roles import Logins, logins  # noqa: F401 - a fixture
from tests.steplog.cli.command_line import is_one_sentence, steplog
from tests.tracker.rebuild.world import World
from tracker_service.rebuild import cutover
from tracker_service.rebuild.errors import RebuildRefused
from tracker_service.rebuild.sample_check import verify_sample
from tracker_service.store.errors import StoreRefused

pytestmark = [pytest.mark.broker, pytest.mark.database]


@asynccontextmanager
async def unchanged(world: World) -> AsyncIterator[None]:
    """Hold rows and schemas to what they were."""
    before = await world.rows()
    yield
    assert await world.rows() == before
    assert await world.schemas() == []


async def remove_head(world: World, partition: int, before_offset: int) -> None:
    """Have the broker remove records as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap_servers)
    await admin.start()
    try:
        place = TopicPartition(world.topic, partition)
        await admin.delete_records({place: RecordsToDelete(before_offset=before_offset)})
    finally:
        await admin.close()


async def test_a_log_whose_head_was_removed_is_refused_with_offset_and_remedy(
    filled: World,
) -> None:
    await remove_head(filled, 1, 10)

    async with unchanged(filled):
        with pytest.raises(RebuildRefused, match=r"begins at offset 10: .*0 to 9.*steplog import"):
            await filled.rebuild()


async def test_rows_whose_beginning_the_log_has_lost_are_left_out_of_a_check(
    filled: World,
) -> None:
    await remove_head(filled, 1, 10)

    checked = await verify_sample(filled.order(), 100)

    assert set(checked.left_out) == {"e-1-0", "e-1-1", "e-1-2", "e-1-3", "e-1-4", "open-1"}
    assert checked.differing == []


async def test_too_little_room_is_refused_with_numbers(filled: World) -> None:
    async with unchanged(filled):
        with pytest.raises(RebuildRefused, match=r"need about 0\.\d+ GiB .* only 0\.000 GiB"):
            await filled.rebuild(max_disk_bytes=1000)


async def test_live_rows_that_move_on_too_fast_are_refused_with_numbers(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No pause is short enough for any round, as if each round found as much as it applied."""
    monkeypatch.setattr(cutover, "ROUND_SHARE", 0.0)

    with pytest.raises(RebuildRefused, match=r"grows faster than this can follow.*--max-pause"):
        await filled.rebuild()


async def test_rows_that_are_ahead_of_their_log_are_made_from_what_it_has(filled: World) -> None:
    position = "SELECT next_offset FROM projection_positions WHERE partition = 0"
    await filled.fetch("UPDATE projection_positions SET next_offset = 9999 WHERE partition = 0")

    await filled.rebuild()

    assert [row["next_offset"] for row in await filled.fetch(position)] == [filled.ends[0]]


async def test_a_view_on_the_tables_is_named_before_it_would_show_old_rows(filled: World) -> None:
    await filled.fetch("CREATE VIEW mine AS SELECT execution_id FROM pipeline_executions")

    async with unchanged(filled):
        with pytest.raises(StoreRefused, match="views mine"):
            await filled.rebuild()


async def test_a_schema_of_somebody_else_is_not_touched(filled: World) -> None:
    await filled.fetch("CREATE SCHEMA reports")

    with pytest.raises(RebuildRefused, match="schema reports that no rebuild made"):
        await filled.rebuild(schema="reports", swaps=False, keeps=True)


async def test_a_role_that_may_not_replace_tables_is_told_which_may(
    filled: World,
    logins: Logins,  # noqa: F811
) -> None:
    await filled.fetch(f"GRANT {logins.prefix}_reader TO {logins.prefix}_tracker_login")
    await filled.fetch(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public "
        f"TO {logins.prefix}_tracker"
    )
    filled.url, admin_url = logins.url("tracker"), filled.url

    with pytest.raises(StoreRefused, match=r"lacks .*CREATE on the database.*steplog_owner"):
        await filled.rebuild()
    filled.url = admin_url


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--into", "no-name"), "no name for a schema"),
        (("--into", "a", "--since", "2h"), "only one can be given"),
        (("--since", "yesterday"), "is no time"),
    ],
)
def test_a_command_line_that_means_nothing_is_one_sentence(
    arguments: tuple[str, ...], told: str
) -> None:
    servers = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "DATABASE_URL": "postgresql://x@127.0.0.1:1/x",
    }

    ended = steplog("rebuild", *arguments, env=servers)

    assert is_one_sentence(ended)
    assert told in ended.err


def test_rows_in_a_file_are_not_rebuilt_and_the_sentence_says_so(tmp_path: Path) -> None:
    servers = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "DATABASE_URL": f"sqlite:///{tmp_path}/rows.db",
    }

    ended = steplog("rebuild", env=servers)

    assert is_one_sentence(ended)
    assert "Only rows in PostgreSQL" in ended.err
