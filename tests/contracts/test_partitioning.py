"""A key leads to one partition, whichever client computes it."""

from aiokafka.partitioner import murmur2 as murmur2_of_the_client
from hypothesis import given
from hypothesis import strategies as st

from steplog_contracts.partitioning import murmur2, new_execution_id_beside, partition_of


@given(st.binary(max_size=40))
def test_a_key_has_the_hash_that_kafkas_clients_give_it(key: bytes) -> None:
    assert murmur2(key) == murmur2_of_the_client(key) & 0xFFFFFFFF


@given(st.text(min_size=1, max_size=40), st.integers(1, 64))
def test_a_new_id_beside_another_has_its_partition(origin: str, partitions: int) -> None:
    new = new_execution_id_beside(origin, partitions)

    assert partition_of(new, partitions) == partition_of(origin, partitions)
    assert new != origin
