"""Shards over nodes: evenly, and not where one was just lost."""

from __future__ import annotations

from kolray.stream.placement import AVOID_S, Placement
from kolray.testing.clock import FakeClock


def test_each_node_gets_as_many_as_the_others() -> None:
    placement = Placement(FakeClock())
    chosen = [placement.choose(shard, ["a", "b", "c"]) for shard in range(6)]
    assert sorted(str(node) for node in chosen) == ["a", "a", "b", "b", "c", "c"]


def test_a_shard_does_not_go_back_to_a_node_that_may_be_dead() -> None:
    clock = FakeClock()
    placement = Placement(clock)
    assert [placement.choose(shard, ["a", "b", "c"]) for shard in range(3)] == ["a", "b", "c"]
    placement.lost(1)
    assert placement.choose(1, ["a", "b", "c"]) == "a", "b is the emptiest, but its shard has just died"
    clock.advance(AVOID_S + 1)
    assert placement.choose(1, ["a", "b", "c"]) == "b"


def test_the_only_node_is_taken_whatever_happened_on_it() -> None:
    placement = Placement(FakeClock())
    assert placement.choose(0, ["a"]) == "a"
    placement.lost(0)
    assert placement.choose(0, ["a"]) == "a"
    assert placement.choose(1, []) is None
