"""Whether a test types what the table says that it types: the command's words stand in its source, in one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

READERS_OWN = re.compile(r"[A-Z0-9…]")
COMPUTED = "*"
"""Stands for what a test computes: it may be any word but the first."""
PROGRAMS = {"kolray", "python"}


def types(test: Path, says: str) -> bool:
    """Whether a list, a call or a text of a test has a command's words one after the other, and its options.

    What a page leaves to its reader (capitals, figures, what is in brackets) is anything. Of a job that is submitted,
    its own words count.
    """
    words = re.sub(r"\[[^\]]*\]", "", says).rpartition(" -- ")[2].split()
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    plain = _plain(words)
    return bool(plain) and any(options <= set(line) and _in_a_row(plain, line) for line in _lines(test))


def _plain(words: list[str]) -> list[set[str]]:
    """The words up to the first that is the reader's own, each with its alternatives; a script by its name."""
    plain: list[set[str]] = []
    for word in words:
        if READERS_OWN.search(word):
            break
        if not word.startswith("-") and word not in PROGRAMS:
            plain.append({Path(each).name for each in word.split("|")})
    return plain


def _in_a_row(plain: list[set[str]], line: tuple[str, ...]) -> bool:
    """A single word must be what is run, not an argument of something else; a script is that anywhere."""
    names = [Path(word).name for word in line if not word.startswith("-")]
    for at in range(len(names) - len(plain) + 1):
        rest = zip(names[at + 1 : at + len(plain)], plain[1:], strict=True)
        run = len(plain) > 1 or at == 0 or names[at - 1] in PROGRAMS | {COMPUTED} or names[at].endswith(".py")
        if run and names[at] in plain[0] and all(name in each | {COMPUTED} for name, each in rest):
            return True
    return False


@cache
def _lines(test: Path) -> tuple[tuple[str, ...], ...]:
    """The words of every list, call and text of a source, but of docstrings and of messages that are looked for."""
    nodes = list(ast.walk(ast.parse(test.read_text())))
    said = {id(node.value) for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    said |= {id(node.value) for node in nodes if isinstance(node, ast.keyword) and node.arg == "match"}
    lines = [_elements(node) for node in nodes if id(node) not in said]
    return tuple(tuple(word for element in line for word in _words(element)) for line in lines if line)


def _elements(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Call(args=elements):
            return elements
        case ast.Constant(value=str(text)) if " " in text:
            return [node]
        case _:
            return []


def _words(element: ast.expr) -> Iterator[str]:
    match element:
        case ast.Constant(value=str(text)):
            yield from text.split()
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from _words(part)
        case _:
            yield COMPUTED
