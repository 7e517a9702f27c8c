"""What the README and the pages of docs/ tell to type, typed: page after page, on the servers of one home.

``tests/documented/commands.toml`` says what stands for what a page leaves to its reader, and what is tested elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.documented.table import Entry, table
from tests.documented.world import World, documented_world

pytestmark = pytest.mark.documented
PAGES = {page: found for page, found in table().items() if not isinstance(found, str)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with documented_world(tmp_path_factory.mktemp("documented")) as made:
        yield made


@pytest.mark.parametrize(("page", "entries"), PAGES.items(), ids=PAGES)
def test_commands_of_a_page_do_what_it_says(page: str, entries: list[Entry], world: World) -> None:
    if missing := world.type_page(page, entries):
        pytest.skip(f"typed but for what needs {', '.join(missing)}")
