"""Documents: every page is in the index, and every link leads somewhere."""

import re
from pathlib import Path

import pytest

from tests.house.readme import ROOT, name_of, pages

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
PAGES = pages()


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading.lower())
        found.add(re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-"))
    return found


def broken_links(page: Path) -> list[str]:
    broken = []
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            broken.append(path)
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            broken.append(f"{path}#{anchor}")
    return broken


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\(([\w-]+\.md)\)", index))

    assert named == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_link_to_no_heading_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](#one) [b](#two) [c](gone.md)\n", encoding="utf-8")

    assert broken_links(page) == ["#two", "gone.md"]


def test_the_way_of_a_command_names_files_that_exist_none_twice() -> None:
    page = (ROOT / "docs" / "executor.md").read_text(encoding="utf-8")
    way = re.findall(r"^\| \d+ \| `([\w/.]+)`", page, re.MULTILINE)

    assert [path for path in way if not (ROOT / "executor_service" / path).is_file()] == []
    assert len(way) == len(set(way)) > 0


def test_every_file_that_a_page_names_exists() -> None:
    folders = ("executor_service", "tracker_service", "steplog", "steplog_kafka")
    gone = [
        (page.name, path)
        for page in pages()
        if page.name != "CHANGELOG.md" and "decisions" not in page.parts
        for path in re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8"))
        if not any((ROOT / folder / path).is_file() for folder in (*folders, "."))
        and not any((ROOT / folder).rglob(path) for folder in folders)
    ]

    assert gone == []
