"""Trains the classifier of a labelled file; every choice is made on texts that the members choosing had not seen.

The networks are those of four inner folds, each trained on the three others: together they are as good as one that saw
everything, and their out-of-fold answers show how members are to be weighed and how far a rare label must be favoured.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import psutil
from numpy.typing import NDArray

from kolray.errors import InvalidInputError
from kolray.models.sentiment.convnet import ConvNet
from kolray.models.sentiment.convnet_fit import fit_convnet
from kolray.models.sentiment.decide import decide, usual
from kolray.models.sentiment.judge import text_folds
from kolray.models.sentiment.model import Decision, Readers, SentimentModel, softmax
from kolray.models.sentiment.spelling import Floats, Ints, Spelled, folded, lowered
from kolray.models.sentiment.terms import Terms, count_grams, fit_terms

FOLDS = 4
MIN_MARKED = 0.1
"""Below this share of training texts with diacritics, nobody reads them as they stand."""
MAX_WORDS = 1_500_000
"""Training texts with more words than this together have no networks, which would take long."""
Members = dict[tuple[bool, bool], Floats]
Learnt = dict[bool, tuple[Readers, Members]]
"""By whether they read texts as they stand: readers, and their answers on the texts of other folds."""


def fit_model(frame: pl.DataFrame, seed: int) -> SentimentModel:
    """Trains on ``text`` and ``label`` (-1, 0, 1; at least two of them). Exact per seed on one machine."""
    names, labels = np.unique(frame["label"].to_numpy(), return_inverse=True)
    plain = lowered(frame["text"])
    bare = folded(plain)
    marked = (plain != bare).to_numpy()
    spelled = {False: Spelled.of(bare)}
    if marked.mean() >= MIN_MARKED:
        spelled[True] = Spelled.of(plain)
    folds = _inner_folds(frame, seed)
    learnt = _learn(spelled, labels, folds, seed)
    if folds is None:
        nets = bool(learnt[False][0].nets)
        decisions = usual(len(names), nets=nets, both=False), usual(len(names), nets=nets, both=True in learnt)
    else:
        decisions = _decide(learnt, labels, marked)
    stand = _heard(learnt[True][0], decisions) if True in learnt else None
    model = SentimentModel(tuple(map(int, names)), _heard(learnt[False][0], decisions), stand, decisions)
    return SentimentModel.from_bytes(model.to_bytes())  # in the precision it is kept in


def _heard(readers: Readers, decisions: tuple[Decision, Decision]) -> Readers:
    """Without networks that no decision listens to."""
    return readers if any(decision.nets for decision in decisions) else replace(readers, nets=())


def _inner_folds(frame: pl.DataFrame, seed: int) -> Ints | None:
    """None where a label has too few texts to choose anything by."""
    try:
        return text_folds(frame, FOLDS, seed)
    except InvalidInputError:
        return None


def _decide(learnt: Learnt, labels: Ints, marked: NDArray[np.bool_]) -> tuple[Decision, Decision]:
    """For texts without and with diacritics."""
    bare = learnt[False][1]
    found = decide(bare, labels)
    if True not in learnt:
        return found, found
    both = {key: answers[marked] for key, answers in (bare | learnt[True][1]).items()}
    return found, decide(both, labels[marked])


def _learn(spelled: dict[bool, Spelled], labels: Ints, folds: Ints | None, seed: int) -> Learnt:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), ThreadPoolExecutor(psutil.cpu_count() or 1) as pool:
        learning = {reads: _Learning.begun(pool, texts, labels, folds, seed) for reads, texts in spelled.items()}
        return {reads: part.done(reads_plain=reads) for reads, part in learning.items()}


@dataclass(frozen=True)
class _Learning:
    """The members of a spelling as they learn in threads: numpy leaves the interpreter alone while it works."""

    texts: Spelled
    folds: Ints | None
    nets: list[Future[ConvNet]]
    terms: list[Future[Terms]]

    @classmethod
    def begun(cls, pool: ThreadPoolExecutor, texts: Spelled, labels: Ints, folds: Ints | None, seed: int) -> _Learning:
        every, n_labels = np.arange(len(labels)), int(labels.max()) + 1
        parts = [every] if folds is None else [np.flatnonzero(folds != fold) for fold in range(FOLDS)]
        known = parts if len(texts.words) <= MAX_WORDS else []
        nets = [pool.submit(fit_convnet, texts, labels, rows, n_labels, seed + n) for n, rows in enumerate(known)]
        counted = count_grams(texts)
        wanted = parts if folds is None else [*parts, every]
        terms = [pool.submit(lambda rows: fit_terms(counted[rows], labels[rows]), rows) for rows in wanted]
        return cls(texts, folds, nets, terms)

    def done(self, *, reads_plain: bool) -> tuple[Readers, Members]:
        nets, terms = [task.result() for task in self.nets], [task.result() for task in self.terms]
        outside: Members = {}
        if self.folds is not None:
            outside[reads_plain, False] = self._outside(terms[:-1], self.folds)
            if nets:
                outside[reads_plain, True] = self._outside(nets, self.folds)
        return Readers(terms[-1], tuple(nets)), outside

    def _outside(self, members: Sequence[Terms | ConvNet], folds: Ints) -> Floats:
        """Of each text the answer of the member that was not trained on its fold."""
        answers = np.stack([softmax(member.logits(self.texts)) for member in members])
        return np.asarray(answers[folds, np.arange(len(folds))])
