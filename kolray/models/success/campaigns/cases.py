"""Spans of a campaign's hours whose sum is forecast: those to come, and those of the past that show how it went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats
from kolray.models.success.campaigns.hours import CampaignHours

Ints = NDArray[np.int64]
ORIGINS_H = (0, 1, 3, 6, 12, 24, 48, 96)
"""Hours after a campaign's start at which past campaigns are forecast."""
SPANS_H = (1, 3, 6, 12, 24, 36, 48, 72, 120, 168)
AHEAD_H = (2, 5, 11, 23)
"""Hours from the origin to single hours further ahead."""


@dataclass(frozen=True)
class Cases:
    """``known_h``: hours of the campaign that were over when it was forecast; ``hours``: how many are added up.

    ``usual`` is to be expected in these of such campaigns. In the hours that were over ``seen`` came, and ``before``
    was to be expected.
    """

    known_h: Ints
    hours: Ints
    usual: Floats
    seen: Floats
    before: Floats


def cases_of(
    hours: CampaignHours, counts: Floats, usual: Floats, campaign: Ints, known_h: Ints, first: Ints, length: Ints
) -> Cases:
    """Sums over ``length`` hours from hour ``first`` of each campaign (its place in ``campaigns``), as forecast after
    ``known_h`` of its hours.

    Args:
        counts: of every hour; one that is not known counts as 0 and is not expected either.
        usual: its rate.
    """
    start = hours.starts[campaign]
    told = ~np.isnan(counts)
    came, expected = _up_to(np.where(told, counts, 0.0)), _up_to(np.where(told, usual, 0.0))
    rate, over = _up_to(usual), start + known_h
    return Cases(
        known_h,
        length,
        rate[start + first + length] - rate[start + first],
        came[over] - came[start],
        expected[over] - expected[start],
    )


def past_cases(hours: CampaignHours, counts: Floats, usual: Floats) -> tuple[Cases, Floats]:
    """Cases at ``ORIGINS_H`` that are over, and what came in each."""
    campaign, known_h, first, length = (np.concatenate(part) for part in zip(*_over(hours), strict=True))
    begin = hours.starts[campaign] + first
    unknown = _up_to(np.isnan(counts).astype(float))
    whole = unknown[begin + length] == unknown[begin]
    campaign, known_h, first, length = (part[whole] for part in (campaign, known_h, first, length))
    came, begin = _up_to(np.nan_to_num(counts)), begin[whole]
    return cases_of(hours, counts, usual, campaign, known_h, first, length), came[begin + length] - came[begin]


def _over(hours: CampaignHours) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
    """(campaign, known hours, first hour, length) of what lies in the past."""
    spans = [(0, length) for length in SPANS_H] + [(ahead, 1) for ahead in AHEAD_H]
    for origin in ORIGINS_H:
        for ahead, length in spans:
            mine = np.flatnonzero(hours.known >= origin + ahead + length)
            full = np.ones(len(mine), np.int64)
            yield mine, origin * full, (origin + ahead) * full, length * full


def _up_to(values: Floats) -> Floats:
    """Sums of all before each row, and of all."""
    return np.append(0.0, np.cumsum(values))
