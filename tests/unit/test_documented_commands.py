"""Whatever the README and the pages of docs/ tell to type exists: commands, options, make targets and jobs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from kolray.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text()
ROOT_COMMAND: Any = typer.main.get_command(app)
CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
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


def test_pages_are_full_of_commands() -> None:
    assert sum(len(_commands(page)) for page in PAGES) > 100


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_targets_jobs_and_files_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for line in _code(page):
        assert set(re.findall(r"(?:^|\s)make ([a-z-]+)", line)) <= targets, line
        for named in re.findall(r"(?:jobs|tuning|serve_configs)/[\w/]+\.\w+", line):
            assert (ROOT / named).exists(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
