"""A KOL in the stream's checkpoints: in panes, visitors, the patterns' memory, and outputs not yet published."""

from __future__ import annotations

from dataclasses import replace

from kolray.lake.erasure.trace import Trace
from kolray.stream.checkpoint import Checkpoints
from kolray.stream.snapshot import Snapshot


def erase_snapshots(checkpoints: Checkpoints, trace: Trace) -> int:
    """Writes every snapshot that holds anything of the KOL again without it; returns how many.

    Under its own name: where a stream goes on meanwhile, its newer snapshots count and these are its past.
    """
    return sum(
        checkpoints.rewrite(place, _cleaned(snapshot, trace))
        for place, snapshot in checkpoints.all()
        if _holds(snapshot, trace)
    )


def snapshots_with(checkpoints: Checkpoints, trace: Trace) -> list[str]:
    """Places of the snapshots that hold anything of the KOL."""
    return [place for place, snapshot in checkpoints.all() if _holds(snapshot, trace)]


def _holds(snapshot: Snapshot, trace: Trace) -> bool:
    frames = (*snapshot.frames.values(), *snapshot.outputs.values())
    return any(trace.clean(frame).found for frame in frames)


def _cleaned(snapshot: Snapshot, trace: Trace) -> Snapshot:
    frames = {name: trace.clean(frame).frame for name, frame in snapshot.frames.items()}
    return replace(
        snapshot, frames=frames, outputs={n: trace.clean(rows).frame for n, rows in snapshot.outputs.items()}
    )
