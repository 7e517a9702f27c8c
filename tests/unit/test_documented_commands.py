"""Whatever the README and the pages of docs/ tell to type exists, and ``commands.toml`` says which test runs it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from kolray.cli.main import app
from tests.documented import pages
from tests.documented.evidence import types
from tests.documented.table import REASONS, table

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text()
ROOT_COMMAND: Any = typer.main.get_command(app)
CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
TABLE = table()
ENTRIES = [(page, entry) for page, found in TABLE.items() if not isinstance(found, str) for entry in found]
MADE = "api.md"
"""The page that `make docs` makes."""
COMMAND = re.compile(r"(?:^|[\s;&|(])kolray (?=[a-z-])([^;&|#`]*)")


def _code(page: Path) -> list[str]:
    """The lines of a page that are code: of blocks, with continued lines joined, and of spans."""
    found = [block or span for block, span in CODE.findall(page.read_text())]
    lines = [line.strip() for code in found for line in code.replace("\\\n", " ").splitlines()]
    return [re.sub(r"(^|\s)#\s.*", "", line) for line in lines]


def _commands(page: Path) -> list[str]:
    return [said.strip() for line in _code(page) for said in COMMAND.findall(line)]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an SQL text that a page breaks off
        return text.split()


def _unknown(text: str) -> str | None:
    """What of a command line the application does not have; None: it has all. A word in capitals stands for any."""
    meant = [ROOT_COMMAND]
    for word in _words(re.sub(r"[\[\]…]", " ", text)):
        groups = [command for command in meant if hasattr(command, "commands")]
        if word.startswith("--"):
            known = {name for command in meant for option in command.params for name in _names(option)}
            if word.split("=")[0] not in known | {"--help"}:
                return word
        elif groups and not word.startswith("-"):
            every = {name: command for group in groups for name, command in group.commands.items()}
            wanted = list(every) if word.isupper() else word.split("|")
            if not set(wanted) <= set(every):
                return word
            meant = [every[name] for name in wanted]
    return None


def _names(option: Any) -> list[str]:
    return [*option.opts, *option.secondary_opts]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path) -> None:
    unknown = {text: what for text in _commands(page) if (what := _unknown(text))}
    assert unknown == {}


def test_every_command_is_on_a_page() -> None:
    told = [text for page in pages.PAGES for text in (re.sub(r" +", " ", line) for line in _code(page))]
    absent = [name for name in _leaves(ROOT_COMMAND, "kolray") if not any(name in line for line in told)]
    assert absent == []


def _leaves(command: Any, name: str) -> Iterator[str]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name
    for word, each in (below or {}).items():
        yield from _leaves(each, f"{name} {word}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_targets_jobs_and_files_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for line in _code(page):
        assert set(re.findall(r"(?:^|\s)make ([a-z-]+)", line)) <= targets, line
        for named in re.findall(r"(?:jobs|tuning|serve_configs)/[\w/]+\.\w+", line):
            assert (ROOT / named).exists(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in _links(page) if not (page.parent / link).exists() and link != MADE] == []


def test_the_site_leads_to_every_page() -> None:
    """But for runbooks, which have a list of their own."""
    every = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"} | {MADE, "runbooks/index.md"}
    assert set(_links(ROOT / "docs" / "index.md")) == every
    assert set(re.findall(r"\S+\.md$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)) == every | {"index.md"}


def _links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)
def test_blocks_of_commands_say_that_they_are(page: Path) -> None:
    assert pages.unmarked(page) == []


def test_each_command_is_run_by_a_test_or_has_a_reason_why_not() -> None:
    whole = [ROOT / page for page, found in TABLE.items() if isinstance(found, str)]
    classed = {command.text for page in whole for command in pages.said(page) if command.block}
    classed |= {part for _, entry in ENTRIES for part in (entry.says, *entry.says.split(" && "))}
    missing = {
        command.text: pages.name(page)
        for page in pages.PAGES
        for command in pages.said(page)
        if command.text not in classed
    }
    assert missing == {}, "say in tests/documented/*.toml how they are run"


def test_no_entry_is_left_over_or_twice() -> None:
    said = {pages.name(page): {command.text for command in pages.said(page)} for page in pages.PAGES}
    assert [(page, entry.says) for page, entry in ENTRIES if entry.says not in said.get(page, ())] == []
    every = [entry.says for _, entry in ENTRIES]
    assert [says for says in every if every.count(says) > 1] == []


def test_entries_are_of_one_kind_and_name_what_exists() -> None:
    for _, entry in ENTRIES:
        assert entry.cannot is None or entry.cannot in REASONS, entry
        assert entry.tested is None or types(ROOT / entry.tested, entry.says), f"that test does not type it: {entry}"
        kinds = (entry.typed or entry.until or entry.needs, entry.tested, entry.cannot)
        assert sum(kind is not None for kind in kinds) <= 1, entry


@pytest.mark.parametrize(
    ("source", "says", "typed"),
    [
        (
            'run([KOLRAY, "models", "tune", kind, "--trials", "8"])',
            "kolray models tune trust|success --trials 30",
            True,
        ),
        ('run([KOLRAY, "models", "tune", kind])', "kolray models tune trust|success --trials 30", False),
        ('run("make", "-s", "docs")', "make docs", True),
        ('run("make", "-s", "sbom")', "make docs", False),
        ('JOBS = ["gold.py"]', "ray job submit -- python jobs/gold.py 2026-01-01", True),
        ('invoke(app, ["deliver", "trust", "--stop"])', "kolray deliver trust --stop", True),
        ('invoke(app, ["deliver", "success", "--stop"])', "kolray deliver trust --stop", False),
        ('run([KOLRAY, "lake", "stream"])', "kolray stream", False),
        ('raises(Error, match="kolray up")', "kolray up", False),
        ('"""Types `kolray up`."""', "kolray up", False),
    ],
)
def test_a_test_is_believed_only_what_it_types(source: str, says: str, typed: bool, tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text(source)
    assert types(test, says) is typed


def test_most_commands_are_typed() -> None:
    assert sum(entry.is_typed for _, entry in ENTRIES) > 2 / 3 * len(ENTRIES)


def test_commands_of_blocks_are_typed_in_the_order_of_the_page() -> None:
    for page, found in TABLE.items():
        order = [command.text for command in pages.said(ROOT / page) if command.block]
        if not isinstance(found, str):
            places = [order.index(entry.says) for entry in found if entry.says in order]
            assert places == sorted(places), page
