"""One partition's state as one value: JSON for the small parts, Arrow IPC for the columns.

Layout: magic, length of the JSON head, head, the Arrow parts it names, CRC-32C of all before it.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import google_crc32c
import polars as pl

from kolray.errors import CheckpointError
from kolray.events import KINDS, Kind
from kolray.stream.denied import DenyList
from kolray.stream.state import Counters, PartitionState
from kolray.stream.watermark import TopicProgress

MAGIC = b"KOLRAYC1"
FORMAT = 2


@dataclass(frozen=True)
class Snapshot:
    """What a partition needs to go on after ``offsets``.

    ``outputs`` are alerts, dead letters and late events counted in this state but perhaps not yet published.
    ``broker`` names the log the offsets belong to.
    """

    partition: int
    epoch: int
    number: int
    fingerprint: str
    broker: dict[str, str]
    offsets: dict[Kind, int]
    version_us: int
    head: dict[str, Any]
    frames: dict[str, pl.DataFrame]
    outputs: dict[str, pl.DataFrame] = field(default_factory=dict)

    def without(self, denied: DenyList) -> Snapshot:
        """The same without KOLs that were erased."""
        frames = {name: denied.allowed(frame) for name, frame in self.frames.items()}
        return replace(self, frames=frames, outputs={name: denied.allowed(rows) for name, rows in self.outputs.items()})

    def to_bytes(self) -> bytes:
        """The snapshot as one value."""
        parts = {
            **{f"state.{k}": v for k, v in self.frames.items()},
            **{f"out.{k}": v for k, v in self.outputs.items()},
        }
        blobs = {name: _ipc(frame) for name, frame in parts.items()}
        head = {k: v for k, v in self.__dict__.items() if k not in ("frames", "outputs")}
        head |= {"format": FORMAT, "parts": {name: len(blob) for name, blob in blobs.items()}}
        text = json.dumps(head).encode()
        data = b"".join([MAGIC, len(text).to_bytes(8, "big"), text, *blobs.values()])
        return data + google_crc32c.value(data).to_bytes(4, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> Snapshot:
        """Reads what ``to_bytes`` wrote.

        Raises:
            CheckpointError: not a snapshot, of another format, or damaged.
        """
        if data[: len(MAGIC)] != MAGIC or google_crc32c.value(data[:-4]) != int.from_bytes(data[-4:], "big"):
            raise CheckpointError(
                "a snapshot is damaged or not one of kolray's; remove it to go back to the one before"
            )
        size = int.from_bytes(data[8:16], "big")
        head = json.loads(data[16 : 16 + size])
        if head.pop("format") != FORMAT:
            raise CheckpointError("a snapshot has another format; start once with `kolray stream --reset`")
        frames: dict[str, pl.DataFrame] = {}
        at = 16 + size
        for name, length in head.pop("parts").items():
            frames[name] = pl.read_ipc(io.BytesIO(data[at : at + length]))
            at += length
        state = {k.removeprefix("state."): v for k, v in frames.items() if k.startswith("state.")}
        return cls(
            **head, frames=state, outputs={k.removeprefix("out."): v for k, v in frames.items() if k[:4] == "out."}
        )


def _ipc(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_ipc(out, compression="zstd")
    return out.getvalue()


def fingerprint(state: PartitionState) -> str:
    """Names what a state cannot survive a change of: the windows and their pane."""
    return f"windows={','.join(spec.name for spec in state.specs)};pane={state.pane_ms}"


def take(state: PartitionState) -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    """The small parts and the columns of a state."""
    head = {
        "counters": asdict(state.counters),
        "watermark": state.watermark.current_ms,
        "topics": {kind: asdict(topic) for kind, topic in state.watermark.topics.items()},
        "closed_ms": state.closed_ms,
    }
    frames = {"panes": state.settled_panes(), "visitors": state.visitors.snapshot()}
    frames |= {f"seen.{kind}": seen.snapshot() for kind, seen in state.seen.items()}
    frames |= {f"patterns.{name}": frame for name, frame in state.patterns.snapshot().items()}
    return head, frames


def put_back(state: PartitionState, snapshot: Snapshot) -> None:
    """Restores a fresh state.

    Raises:
        CheckpointError: the snapshot was taken with other windows.
    """
    if snapshot.fingerprint != fingerprint(state):
        raise CheckpointError(
            f"the checkpoint was taken with {snapshot.fingerprint}, the settings now say {fingerprint(state)}: "
            "open windows cannot be carried over. Set KOLRAY_STREAM__WINDOWS back, or start anew with "
            "`kolray stream --reset`"
        )
    state.counters = Counters(**snapshot.head["counters"])
    state.watermark.current_ms = snapshot.head["watermark"]
    for kind in KINDS:
        state.watermark.topics[kind] = TopicProgress(**snapshot.head["topics"][kind])
        state.seen[kind].restore(snapshot.frames[f"seen.{kind}"])
    state.closed_ms = snapshot.head["closed_ms"]
    state.panes = snapshot.frames["panes"]
    state.visitors.restore(snapshot.frames["visitors"])
    prefix = "patterns."
    state.patterns.restore({k.removeprefix(prefix): v for k, v in snapshot.frames.items() if k.startswith(prefix)})
