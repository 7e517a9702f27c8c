"""Overlapping writers of a table take turns: whoever planned on a state that is gone has to plan again.

A commit says where each of its sources (a topic-partition, a table it was made from) stood when its work was planned.
Delta keeps these numbers as transaction ids, and of two commits on one version of a table that name the same id it lets
only the first through; whether the second may come after it is for its writer to find out, here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import stamina
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from kolray.errors import ConflictError

T = TypeVar("T")
TRIES = 8
"""Commits of one piece of work that others may overtake; each leaves a longer pause for them, 2 s at most."""
PLANS = 8
"""Plans in a row that others' commits may make void: every time, one of them got on."""


@dataclass(frozen=True)
class Advance:
    """A source's way in one commit: where the table had it when the work was planned (None: nothing), and its end."""

    held: int | None
    reached: int


def next_turn(held: int | None) -> Advance:
    """The way of a source that only counts commits: of two planned on the same count, one goes through."""
    return Advance(held, 0 if held is None else held + 1)


Sources = Mapping[str, Advance]
"""Transaction id → how far a commit brings it."""


def stands(table: DeltaTable, sources: Sources) -> bool:
    """Whether a table is where the work was planned, as far as its sources go."""
    return all(table.transaction_version(source) == way.held for source, way in sources.items())


def retried(name: str, work: Callable[[], T]) -> T:
    """Does work that ends in a commit; overtaken by another writer's, it is done again on the newer version.

    Args:
        work: it loads the table itself.

    Raises:
        ConflictError: each of the tries was overtaken.
    """
    try:
        for attempt in stamina.retry_context(
            on=CommitFailedError, attempts=TRIES, timeout=None, wait_initial=0.05, wait_max=2
        ):
            with attempt:
                return work()
    except CommitFailedError as error:
        why = f"{name} was changed by other writers during each of {TRIES} tries ({error})"
        raise ConflictError(f"{why}: run this again when they are done; nothing is lost or doubled by it") from error
    raise AssertionError  # the loop returns or raises


def until_undisturbed(layer: str, work: Callable[[], bool]) -> None:
    """Plans and commits again until no other run came between.

    Args:
        work: one plan carried out; it returns False where another run's commit made it void.

    Raises:
        ConflictError: it happened to each of the plans.
    """
    if not any(work() for _ in range(PLANS)):
        raise ConflictError(
            f"other runs of {layer} made each of {PLANS} plans of this one void: they do its work, which is complete "
            "when they end; end those that you do not want, and run this again"
        )
