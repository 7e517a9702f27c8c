"""Finds what the README and the pages of docs/ tell to type: statements of ``sh`` blocks, and commands in the text."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name != "api.md"),  # made by `make docs`
]
PROGRAMS = (
    "kolray", "make", "ray", "serve", "python", "python3", "pip", "docker", "curl", "trino", "prometheus", "promtool",
    "redis-cli", "grep", "dmesg", "source", "git",
)  # fmt: skip
FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
NOT_SAID = re.compile(r"(^|\s+)#\s.*$")
TYPED = re.compile(rf"(?:{'|'.join(PROGRAMS)}) \S")


@dataclass(frozen=True)
class Said:
    """What a page tells to type.

    Attributes:
        text: the command on one line, without the comment behind it.
        script: as it stands, with every line.
        block: it stands in a block, not amid the text.
    """

    text: str
    script: str
    block: bool


def name(page: Path) -> str:
    """As ``commands.toml`` names it."""
    return str(page.relative_to(ROOT))


@cache
def said(page: Path) -> list[Said]:
    """In the order of the page, first those of blocks, each once."""
    text = page.read_text()
    found = [Said(one_line(script), script, True) for _, kind, body in FENCED.findall(text) if kind == "sh"
             for script in statements(body)]  # fmt: skip
    spans = [span for span in SPAN.findall(FENCED.sub("", text)) if TYPED.match(span)]
    found += [Said(one_line(span), span, False) for span in spans]
    first: dict[str, Said] = {}
    for command in found:
        first.setdefault(command.text, command)
    return list(first.values())


def unmarked(page: Path) -> list[str]:
    """First lines of blocks that hold commands, but do not say that they are ``sh``."""
    blocks = [body for _, kind, body in FENCED.findall(page.read_text()) if kind != "sh"]
    return [body.splitlines()[0] for body in blocks if TYPED.match(body)]


def statements(body: str) -> list[str]:
    """The whole statements of a block: with continued lines, the rest of a loop, a text that follows.

    Raises:
        AssertionError: the last one does not end, or bash cannot read it.
    """
    whole: list[str] = []
    so_far = ""
    for line in body.splitlines():
        so_far += NOT_SAID.sub("", line) + "\n"
        if not so_far.strip():
            so_far = ""
        elif _complete(so_far):
            whole.append(so_far.rstrip("\n"))
            so_far = ""
    assert not so_far, f"bash cannot read {so_far}"
    return whole


def _complete(script: str) -> bool:
    if script.endswith("\\\n"):
        return False
    read = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    return not read.stderr  # a text without its end is but a warning


def one_line(script: str) -> str:
    """Lines joined, and single spaces."""
    return " ".join(script.replace("\\\n", " ").split())
