"""The real state machine and decoder, each step computed once: they are pure, and schedules repeat their steps."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from kolray.benchmarks.simulate.scenario import HOT_RULES, SETTINGS, START_MS
from kolray.events import Kind
from kolray.schemas.registry import FileRegistry
from kolray.stream.decode import BatchDecoder, Decoded
from kolray.stream.fetch import RawBatch
from kolray.stream.snapshot import take
from kolray.stream.state import Counters, PartitionState, new_state

COARSE_MS = 120_000
"""The state sees the wall time in these steps, so that schedules meet in the same states."""
SHARED = ("specs", "timing", "rules")
"""What no step changes, so that a copy need not copy it."""


@dataclass
class Node:
    """One state ever reached, and what each input makes of it."""

    state: PartitionState
    edges: dict[Any, tuple[Node, Any, dict[str, int]]] = field(default_factory=dict)
    settled: pl.DataFrame | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    """Parts of the state as a checkpoint sees them."""


@dataclass(frozen=True)
class Taken:
    """A duplicate filter, or the visitors, as a checkpoint sees them: taken once a node."""

    frame: pl.DataFrame

    def snapshot(self) -> pl.DataFrame:
        return self.frame

    def __len__(self) -> int:
        return self.frame.height


class Memory:
    """Every state of one scenario by its contents."""

    def __init__(self) -> None:
        self._nodes: dict[Any, Node] = {}
        self.blank = new_state(SETTINGS, HOT_RULES)
        self.blank_node = self.node(copy.copy(self.blank))
        self.computed = self.remembered = 0
        """Steps that ran the real machine, and steps that did not need to."""

    def node(self, state: PartitionState) -> Node:
        """The node of a state, which nobody changes from now on: its snapshot, and which panes changed since."""
        state.counters = Counters()
        probe = _copied(state)
        changed = frozenset(probe.provisional().select("kol_id", "window_start").rows())
        head, frames = take(probe)
        contents = frozenset((name, _rows(frame)) for name, frame in frames.items())
        key = head["watermark"], head["closed_ms"], repr(head["topics"]), contents, changed
        found = self._nodes.get(key)
        if found is None:
            seen = {kind: Taken(frames[f"seen.{kind}"]) for kind in state.seen}
            found = self._nodes[key] = Node(state, kept={"seen": seen, "visitors": Taken(frames["visitors"])})
        return found


class MemoState(PartitionState):
    """A ``PartitionState`` that looks its steps up where they were taken before from an equal state."""

    def __init__(self, memory: Memory) -> None:
        self.__dict__.update(_copied(memory.blank).__dict__)
        self._memory = memory
        self._node: Node | None = None

    def on_events(self, kind: Kind, events: pl.DataFrame, now_ms: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        now_ms = _coarse(now_ms)
        key = (kind, events["partition"][0], *events["offset"].to_list(), now_ms)
        return self._step(key, lambda s: s.on_events(kind, events, now_ms))

    def advance(self, now_ms: int, at_end: dict[Kind, bool]) -> tuple[pl.DataFrame, pl.DataFrame]:
        now_ms = _coarse(now_ms)
        return self._step(("advance", now_ms, *at_end.values()), lambda s: s.advance(now_ms, at_end))

    def end_of_input(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        return self._step("end", lambda s: s.end_of_input())

    def provisional(self) -> pl.DataFrame:
        return self._step("provisional", lambda s: s.provisional())

    def settled_panes(self) -> pl.DataFrame:
        node = self._node or self._enter()
        if node.settled is None:
            node.settled = _copied(node.state).settled_panes()
        return node.settled

    def _enter(self) -> Node:
        """The node of a fresh or restored state."""
        empty = self.closed_ms < 0 and not self.panes.height and not any(len(seen) for seen in self.seen.values())
        if empty and self.watermark == self._memory.blank.watermark:
            self._node = self._memory.blank_node
            return self._node
        real = copy.copy(self._memory.blank)
        real.__dict__.update({name: self.__dict__[name] for name in real.__dict__})
        self._node = self._memory.node(real)
        return self._node

    def _step(self, key: Any, call: Callable[[PartitionState], Any]) -> Any:
        node = self._node or self._enter()
        edge = node.edges.get(key)
        self._memory.remembered += 1
        if edge is None:
            self._memory.computed += 1
            real = _copied(node.state)
            result = call(real)
            counts = {name: n for name, n in asdict(real.counters).items() if n}
            edge = node.edges[key] = self._memory.node(real), result, counts
        self._node, result, counts = edge
        counters = self.counters
        for name, n in counts.items():
            setattr(counters, name, getattr(counters, name) + n)
        self.__dict__.update(self._node.state.__dict__)
        self.__dict__.update(self._node.kept)
        self.counters = counters
        return result


def _copied(state: PartitionState) -> PartitionState:
    shared = {id(part): part for part in (getattr(state, name) for name in SHARED)}
    return copy.deepcopy(state, shared | {id(rule): rule for rule in state.rules})


def _rows(frame: pl.DataFrame) -> frozenset[Any]:
    """A table's rows in no order, its lists as tuples."""
    if not any(dtype.is_nested() for dtype in frame.dtypes):
        return frozenset(frame.rows())
    return frozenset(tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in frame.rows())


def _coarse(now_ms: int) -> int:
    """Steps that begin half a minute before the schedule, so that clocks that go wrong still agree at first."""
    return START_MS + (now_ms - START_MS + 30_000) // COARSE_MS * COARSE_MS


class MemoDecoder(BatchDecoder):
    """A ``BatchDecoder`` that decodes the same batches once."""

    def __init__(self) -> None:
        super().__init__(FileRegistry(), SETTINGS.far_future_s)
        self._known: dict[Any, Decoded] = {}

    def decode(self, kind: Kind, batches: Iterable[RawBatch]) -> Decoded:
        batches = list(batches)
        key = tuple((b.topic, b.partition, b.first_offset) for b in batches)
        if key not in self._known:
            self._known[key] = super().decode(kind, batches)
        return self._known[key]
