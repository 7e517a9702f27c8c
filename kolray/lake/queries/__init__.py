"""Twenty questions an analyst asks of the lake, each a portable SELECT: ``<name>.sql`` beside this file.

The first line of a file is the question in words, as a comment. The same text runs in the embedded engine
(``kolray.lake.sql``) and in Trino, and gives the same rows in the same order: sums are cast to ``bigint`` (DuckDB's are
wider), ratios divide a ``double``, every order ends in a key, and days are counted back from gold's newest, never from
today. The newest day is asked of ``gold.platform_daily``, the smallest table that has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from kolray.errors import NotFoundError

_TABLE = re.compile(r"\b(?:bronze|silver|gold|ref|ops)\.[a-z_]+")


@dataclass(frozen=True)
class Query:
    """One question: its name, the question in words, and the SELECT that answers it."""

    name: str
    question: str
    sql: str

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables it reads, as ``layer.table``, in the order of the alphabet."""
        return tuple(sorted(set(_TABLE.findall(self.sql))))


@cache
def queries() -> tuple[Query, ...]:
    """All of them, by name."""
    found = (file for file in files(__name__).iterdir() if file.name.endswith(".sql"))
    return tuple(
        _parse(file.name.removesuffix(".sql"), file.read_text()) for file in sorted(found, key=lambda f: f.name)
    )


def find_query(name: str) -> Query:
    """The one of this name.

    Raises:
        NotFoundError: there is none.
    """
    known = {query.name: query for query in queries()}
    if name not in known:
        raise NotFoundError(f"no query {name!r}; there are {', '.join(known)}")
    return known[name]


def _parse(name: str, text: str) -> Query:
    """
    >>> _parse("one", "-- What is one?\\nSELECT 1 AS one\\n")
    Query(name='one', question='What is one?', sql='SELECT 1 AS one')
    """
    question, _, sql = text.partition("\n")
    return Query(name, question.removeprefix("-- "), sql.strip())
