"""The classifier that is trained on a labelled file: members that read a text in two spellings, and one decision.

A text with diacritics is read as it stands and without them, another only without: so a comment typed without
diacritics meets members that were trained on just that, and one with them meets both.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.models.sentiment.convnet import ConvNet
from kolray.models.sentiment.spelling import Floats, Spelled, folded, lowered
from kolray.models.sentiment.terms import Terms

FILE = "sentiment.npz"
_CHUNK = 4_096
_NET = ("embedding", "filters", "thresholds", "top", "bias")


@dataclass(frozen=True)
class Decision:
    """How members become one answer: a text's labels have the odds ``factors`` times the members' mean probability.

    ``nets``: the networks' share in that mean, ``plain``: the share of members that read the text as it stands.
    """

    nets: float
    plain: float
    factors: tuple[float, ...]

    def mean(self, members: Mapping[tuple[bool, bool], Floats]) -> Floats:
        """The mean of probabilities by (reads as it stands, is a network)."""
        share = {True: self.plain, False: 1.0 - self.plain}
        part = {True: self.nets, False: 1.0 - self.nets}
        total = np.zeros_like(next(iter(members.values())))
        for (plain, net), answers in members.items():
            total += answers * np.float32(share[plain] * part[net])
        return total

    def odds(self, members: Mapping[tuple[bool, bool], Floats]) -> Floats:
        """What the labels are compared by; rows add up to 1."""
        odds = self.mean(members) * np.array(self.factors, np.float32)
        return odds / odds.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Readers:
    """Members that read one spelling."""

    terms: Terms
    nets: tuple[ConvNet, ...]

    def read(self, texts: Spelled, *, plain: bool) -> dict[tuple[bool, bool], Floats]:
        """Probabilities by (``plain``, is a network)."""
        found: dict[tuple[bool, bool], Floats] = {(plain, False): softmax(self.terms.logits(texts))}
        if self.nets:
            found[plain, True] = np.mean([softmax(net.logits(texts)) for net in self.nets], axis=0)
        return found


class SentimentModel:
    """A ``TextClassifier``.

    Args:
        labels: the sentiments it knows, ascending; its columns.
        bare, marked: readers of texts without and with diacritics; ``marked`` is None where training had too few.
        decisions: for texts without and with diacritics.
    """

    def __init__(
        self, labels: tuple[int, ...], bare: Readers, marked: Readers | None, decisions: tuple[Decision, Decision]
    ) -> None:
        self.labels, self.bare, self.marked, self.decisions = labels, bare, marked, decisions
        arrays = self._arrays()
        digest = hashlib.sha256()
        for name in sorted(arrays):
            digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
        self.version = f"readers-{digest.hexdigest()[:12]}"

    def classify(self, texts: pl.Series) -> pl.Series:
        """Int8 sentiment of each text; null and blank texts are 0."""
        known = np.array(self.labels, np.int8)
        sentiment = known[self.probabilities(texts).argmax(axis=1)]
        sentiment[(texts.cast(pl.String).fill_null("").str.strip_chars() == "").to_numpy()] = 0
        return pl.Series(texts.name, sentiment, dtype=pl.Int8)

    def probabilities(self, texts: pl.Series) -> Floats:
        """Shape (texts, labels)."""
        parts = [self._chunk(texts[i : i + _CHUNK]) for i in range(0, len(texts), _CHUNK)]
        return np.concatenate([np.empty((0, len(self.labels)), np.float32), *parts])

    def _chunk(self, texts: pl.Series) -> Floats:
        plain = lowered(texts)
        bare = folded(plain)
        members = self.bare.read(Spelled.of(bare), plain=False)
        odds = self.decisions[0].odds(members)
        if self.marked is not None and len(some := np.flatnonzero((plain != bare).to_numpy())):
            mine = {key: values[some] for key, values in members.items()}
            odds[some] = self.decisions[1].odds(mine | self.marked.read(Spelled.of(plain.gather(some)), plain=True))
        return odds

    def to_bytes(self) -> bytes:
        """The classifier as an npz file."""
        out = io.BytesIO()
        np.savez_compressed(out, **self._arrays())
        return out.getvalue()

    def to_files(self) -> dict[str, bytes]:
        """What the registry keeps."""
        return {FILE: self.to_bytes()}

    @classmethod
    def load(cls, folder: Path) -> SentimentModel:
        """What ``to_files`` gave, from files in ``folder``."""
        return cls.from_bytes((folder / FILE).read_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> SentimentModel:
        """What ``to_bytes`` gave."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = dict(file)
        decisions = [Decision(float(row[0]), float(row[1]), tuple(map(float, row[2:]))) for row in arrays["decisions"]]
        marked = _readers(arrays, "marked") if "marked/rows" in arrays else None
        labels = tuple(map(int, arrays["labels"]))
        return cls(labels, _readers(arrays, "bare"), marked, (decisions[0], decisions[1]))

    def _arrays(self) -> dict[str, Any]:
        rows = [[choice.nets, choice.plain, *choice.factors] for choice in self.decisions]
        arrays: dict[str, Any] = {"labels": np.array(self.labels, np.int8), "decisions": np.array(rows)}
        for name, readers in (("bare", self.bare), ("marked", self.marked)):
            if readers is not None:
                arrays |= {f"{name}/{key}": value for key, value in _arrays(readers).items()}
        return arrays


def softmax(logits: Floats) -> Floats:
    """Probabilities of each row's logits."""
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(share / share.sum(axis=1, keepdims=True), np.float32)


def _arrays(readers: Readers) -> dict[str, NDArray[Any]]:
    """The table without its empty rows, in half precision."""
    table = readers.terms.table
    rows = np.flatnonzero(table[:, -1]).astype(np.int32)
    found: dict[str, NDArray[Any]] = {
        "rows": rows,
        "table": table[rows].astype(np.float16),
        "buckets": np.array(len(table)),
        "terms_bias": readers.terms.bias,
        "nets": np.array(len(readers.nets)),
    }
    for number, net in enumerate(readers.nets):
        found[f"{number}/vocabulary"] = net.vocabulary
        found |= {f"{number}/{name}": getattr(net, name).astype(np.float16) for name in _NET}
    return found


def _readers(arrays: Mapping[str, NDArray[Any]], name: str) -> Readers:
    mine = {key.removeprefix(f"{name}/"): value for key, value in arrays.items() if key.startswith(f"{name}/")}
    table = np.zeros((int(mine["buckets"]), mine["table"].shape[1]), np.float32)
    table[mine["rows"]] = mine["table"]
    nets = tuple(
        ConvNet(mine[f"{number}/vocabulary"], *(mine[f"{number}/{part}"].astype(np.float32) for part in _NET))
        for number in range(int(mine["nets"]))
    )
    return Readers(Terms(table, mine["terms_bias"]), nets)
