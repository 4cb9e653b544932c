"""A file of topics is read strictly: a typo is refused, not ignored."""

from pathlib import Path

import pytest

from steplog.admin.topics_file import read_topics_file
from steplog.errors import BadInput


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("topics: []", "topics"),
        ("topics: [{name: a}]", "topics.0.partitions"),
        ("topics: [{name: a, partitions: 0}]", "topics.0.partitions"),
        ("topics: [{name: a, partitions: 1, partition: 2}]", "topics.0.partition:"),
        ("[]", "the file"),
        ("", "the file"),
        ("topics: [", "is not YAML"),
    ],
)
def test_a_wrong_declaration_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "topics.yaml").write_text(text)

    with pytest.raises(BadInput) as refusal:
        read_topics_file(tmp_path / "topics.yaml")

    assert said in str(refusal.value)


def test_numbers_are_taken_as_settings(tmp_path: Path) -> None:
    (tmp_path / "topics.yaml").write_text(
        "replication_factor: 3\ntopics: [{name: a, partitions: 8, config: {retention.ms: -1}}]\n"
    )

    declared = read_topics_file(tmp_path / "topics.yaml")

    assert declared.replication_factor == 3
    assert declared.topics[0].config == {"retention.ms": "-1"}
