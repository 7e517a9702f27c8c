"""Covariates as columns of the forecaster's rows: looked up by KOL and origin, campaigns also by the hour forecast."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.models.metrics import Floats
from kolray.models.success.covariates import Covariates

Ints = NDArray[np.int64]
ABOUT = ("tier", "platform", "category", "trust_score")
CAMPAIGN = (
    "campaign_budget",
    "campaign_category",
    "campaign_phase",
    "campaign_hours",
    "campaign_now",
    "campaign_before",
)
BESIDE = (*ABOUT, *CAMPAIGN)
"""Budget a day, category, phase and hours since its start of the campaign at the hour that is forecast (of several the
newest; budgets add up); whether one ran in the newest hour, and in which part of the hours it is compared with."""
FAR = 1 << 34
"""Seconds since the epoch end before it (in the year 2514)."""
HOUR_S = 3600


@dataclass(frozen=True)
class AsOf:
    """Values that change with time: ``keys`` (row x FAR + second of when it was known, ascending) and ``values``."""

    keys: Ints
    values: Floats

    @staticmethod
    def of(frame: pl.DataFrame, row: Ints, values: Floats) -> AsOf:
        """``frame`` has ``known_at``; ``values``: (rows of the frame, columns)."""
        keys = row * FAR + _seconds(frame["known_at"])
        order = np.argsort(keys, kind="stable")
        return AsOf(keys[order], values[order])

    def at(self, row: Ints, when: Ints) -> Floats:
        """The newest values of each row known at ``when``; NaN where there are none."""
        place = np.searchsorted(self.keys, row * FAR + when, side="right") - 1
        found = (place >= 0) & (row >= 0)
        if not len(self.keys):
            return np.full((len(row), self.values.shape[1]), np.nan)
        found &= self.keys[place] // FAR == row
        return np.where(found[:, None], self.values[place], np.nan)


@dataclass(frozen=True)
class Booked:
    """Campaigns by row, then start: known in ``[since, until)``, running in ``[start, end)``; seconds.

    ``phases``: (campaigns, the most phases), of which the first ``n_phases`` of each count.
    """

    row: Ints
    since: Ints
    until: Ints
    start: Ints
    end: Ints
    per_day: Floats
    category: Floats
    phases: Floats
    n_phases: Ints

    def pairs(self, row: Ints, when: Ints) -> tuple[Ints, Ints]:
        """(place in ``row``, campaign) of those known at ``when``, by place, then start."""
        low, high = (np.searchsorted(self.row, row, side=side) for side in ("left", "right"))
        many = high - low
        owner = np.repeat(np.arange(len(row)), many)
        campaign = np.arange(many.sum()) - np.repeat(many.cumsum() - many, many) + np.repeat(low, many)
        known = (self.since[campaign] <= when[owner]) & (when[owner] < self.until[campaign])
        return owner[known], campaign[known]


@dataclass(frozen=True)
class Beside:
    """Covariates of a panel's series: ``row`` of each in the tables, -1 where it is in none."""

    row: Ints
    about: AsOf
    trust: AsOf
    booked: Booked

    @staticmethod
    def of(covariates: Covariates, ids: list[str]) -> Beside:
        """For the series of these KOLs."""
        frames = (covariates.kols, covariates.trust, covariates.campaigns)
        names = pl.concat([frame["kol_id"] for frame in frames]).unique().sort()
        kols, trust, campaigns = frames
        about = np.stack([_coded(kols[name]) for name in ABOUT[:3]], axis=1)
        score = trust["trust_score"].fill_null(float("nan")).to_numpy()[:, None]
        row = _places(pl.Series(ids, dtype=pl.String), names)
        return Beside(
            row,
            AsOf.of(kols, _places(kols["kol_id"], names), about),
            AsOf.of(trust, _places(trust["kol_id"], names), score),
            _booked(campaigns, names),
        )

    def take(self, rows: Ints) -> Beside:
        """Of some of the series."""
        return replace(self, row=self.row[rows])

    def columns(self, ends: NDArray[np.datetime64], ahead: Ints, back: Ints) -> list[Floats]:
        """``BESIDE`` as (series, targets), from what was known at each series' end.

        Args:
            ahead: hours from the end to each target, 0 for the hour that begins there.
            back: (lags, targets) hours from the end to the hours that targets are compared with, negative.
        """
        when = ends.astype("datetime64[s]").astype(np.int64)
        shape = (len(when), len(ahead))
        about = np.concatenate([self.about.at(self.row, when), self.trust.at(self.row, when)], axis=1)
        owner, campaign = self.booked.pairs(self.row, when)
        spent, now, before = (np.where(self.row[:, None] >= 0, np.zeros(shape), np.nan) for _ in range(3))
        category, phase, hours = (np.full(shape, np.nan) for _ in range(3))
        start, end = self.booked.start[campaign, None], self.booked.end[campaign, None]
        at = when[owner, None] + ahead[None, :] * HOUR_S
        pair, column = np.nonzero((start <= at) & (at < end))
        place = owner[pair], column
        np.add.at(spent, place, self.booked.per_day[campaign[pair]])
        category[place] = self.booked.category[campaign[pair]]
        hours[place] = (at[pair, column] - start[pair, 0]) / HOUR_S
        phase[place] = self._phase(campaign[pair], at[pair, column])
        newest = when[owner, None] - HOUR_S
        now[owner[((start <= newest) & (newest < end))[:, 0]]] = 1.0
        for lag in back:
            then = when[owner, None] + lag[None, :] * HOUR_S
            pair, column = np.nonzero((start <= then) & (then < end))
            before[owner[pair], column] += 1.0 / len(back)
        return [*(np.broadcast_to(c[:, None], shape) for c in about.T), spent, category, phase, hours, now, before]

    def _phase(self, campaign: Ints, at: Ints) -> Floats:
        """Phases share a campaign's time equally."""
        own = self.booked
        part = (at - own.start[campaign]) / np.maximum(own.end[campaign] - own.start[campaign], 1)
        return own.phases[campaign, (part * own.n_phases[campaign]).astype(np.int64)]


def _booked(campaigns: pl.DataFrame, names: pl.Series) -> Booked:
    told = campaigns.drop_nulls(["start", "end"])
    told = told.with_columns(row=pl.Series(_places(told["kol_id"], names), dtype=pl.Int64)).sort("known_at")
    told = told.with_columns(until=pl.col("known_at").shift(-1).over("campaign_id", "kol_id"))
    told = told.sort("row", "start", "campaign_id", "known_at")
    start, end = _seconds(told["start"]), _seconds(told["end"])
    until = told["until"].dt.epoch("s").fill_null(FAR).to_numpy()
    days = np.maximum(end - start, HOUR_S) / (24 * HOUR_S)
    budget = told["budget"].fill_null(0.0).to_numpy() / days
    phases, n_phases = _phases(told["phases"])
    return Booked(
        told["row"].to_numpy(),
        _seconds(told["known_at"]),
        until,
        start,
        end,
        budget,
        _coded(told["category"]),
        phases,
        n_phases,
    )


def _phases(texts: pl.Series) -> tuple[Floats, Ints]:
    """Codes of each campaign's phases by name, NaN behind the last, and how many there are."""
    names = {text: phase_names(text) for text in texts.unique()}
    coded = np.full((len(texts), 1 + max((len(own) for own in names.values()), default=0)), np.nan)
    n_phases = np.zeros(len(texts), np.int64)
    for text, own in names.items():
        mine = texts.eq_missing(pl.Series([text], dtype=pl.String)).to_numpy()
        coded[mine, : len(own)] = [code(name) for name in own]
        n_phases[mine] = len(own)
    return coded, n_phases


def phase_names(text: str | None) -> list[str]:
    """Of other JSON than a list of names none."""
    try:
        named = json.loads(text or "[]")
    except ValueError:
        return []
    return named if isinstance(named, list) and all(isinstance(name, str) for name in named) else []


def code(word: str) -> float:
    """A number for a word, the same in every training: models are compared on rows that another one may have made."""
    return float(crc32(word.encode()) % 100_003)


def _coded(words: pl.Series) -> Floats:
    told = words.unique().drop_nulls()
    codes = pl.Series([code(word) for word in told], dtype=pl.Float64)
    return words.replace_strict(told, codes, default=float("nan"), return_dtype=pl.Float64).to_numpy()


def _places(ids: pl.Series, names: pl.Series) -> Ints:
    return ids.replace_strict(names, pl.Series(np.arange(len(names))), default=-1, return_dtype=pl.Int64).to_numpy()


def _seconds(times: pl.Series) -> Ints:
    return times.dt.epoch("s").to_numpy()
