"""Which accounts to poll when, so that as little as possible of what changes stays unseen while the quota lasts.

What an account has changed since its last poll grows with time; unseen change, summed over time, falls with every
further poll by less than with the one before. So the best next unit is always the one that gains most for its cost, and
the last few are chosen exactly, where what is left does not fit.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import numpy as np

from kolray.clock import from_ms
from kolray.connectors.quota import Quota
from kolray.connectors.state import AccountState

LAST_UNITS = 200
"""Units that are spent by exact choice, after the greedy one."""
LAST_POLLS = 300
"""Polls among which that choice is."""
LEAST_GAP_H = 0.25
"""Hours between two polls of an account."""
LEAST_CHANGE = 0.01
"""Changes an hour that an account is believed to have at least, so that a silent one is looked at now and then."""
UNKNOWN_AGE_H = 7 * 24.0
"""What an account that was never polled has waited."""
UNKNOWN_COST = 4
"""Profile, list, videos, comments."""


@dataclass(frozen=True)
class Candidate:
    """An account: expected changes an hour, units of a poll, hours since the last."""

    account_id: str
    change_per_h: float
    cost: int
    age_h: float


@dataclass(frozen=True)
class Planned:
    """``polls`` of an account until the quota begins anew, the first ``at``, when it is expected to see ``change``."""

    account_id: str
    change_per_h: float
    change: float
    cost: int
    polls: int
    at: datetime


def unseen(candidate: Candidate, horizon_h: float, polls: int) -> float:
    """Change not yet seen, summed over the next hours (changes × hours), with so many polls at their best times.

    Gaps between polls are equal, ``(horizon + age) / (polls + 1)``; where the age is more than that already, the first
    poll is at once and the rest are spread over the horizon.
    """
    age, gap = candidate.age_h, _gap(candidate, horizon_h, polls)
    if gap >= age:
        return candidate.change_per_h * ((polls + 1) * gap**2 - age**2) / 2
    return candidate.change_per_h * horizon_h**2 / (2 * polls)


def _gap(candidate: Candidate, horizon_h: float, polls: int) -> float:
    return (horizon_h + candidate.age_h) / (polls + 1)


def allocate(candidates: Sequence[Candidate], horizon_h: float, units: int) -> list[int]:
    """Polls for each candidate that cost ``units`` together at most."""
    polls, offers = [0] * len(candidates), _offers(candidates, horizon_h, units)
    waiting: list[tuple[float, int]] = []
    for gain, index in offers:
        cost = candidates[index].cost
        if units - cost < LAST_UNITS:
            waiting.append((gain, index))
            break
        units -= cost
        polls[index] += 1
    waiting += islice(offers, LAST_POLLS)
    for index, more in _best([(gain, candidates[index].cost, index) for gain, index in waiting], units).items():
        polls[index] += more
    return polls


def _offers(candidates: Sequence[Candidate], horizon_h: float, units: int) -> Iterator[tuple[float, int]]:
    """(gain, candidate) of one poll more each, the best for its cost first."""

    def offer(index: int, polls: int) -> tuple[float, int, int, float]:
        one = candidates[index]
        gain = unseen(one, horizon_h, polls) - unseen(one, horizon_h, polls + 1)
        return -gain / one.cost, index, polls, gain

    heap = [offer(index, 0) for index in range(len(candidates))]
    heapq.heapify(heap)
    while heap:
        _, index, polls, gain = heap[0]
        yield gain, index
        more = polls + 2
        if more * candidates[index].cost <= units and (more - 1) * LEAST_GAP_H <= horizon_h:
            heapq.heapreplace(heap, offer(index, polls + 1))
        else:
            heapq.heappop(heap)


def _best(offers: Sequence[tuple[float, int, int]], units: int) -> Counter[int]:
    """How often each index is among the offers (gain, cost, index) that gain most and cost ``units`` at most."""
    best = np.zeros(units + 1)
    taken = np.zeros((len(offers), units + 1), dtype=bool)
    for row, (gain, cost, _) in enumerate(offers):
        if cost <= units:
            with_it = best[: units + 1 - cost] + gain
            taken[row, cost:] = with_it > best[cost:]
            best[cost:] = np.maximum(best[cost:], with_it)
    chosen: Counter[int] = Counter()
    for row in range(len(offers) - 1, -1, -1):
        if taken[row, units]:
            _, cost, index = offers[row]
            chosen[index] += 1
            units -= cost
    return chosen


def plan(candidates: Sequence[Candidate], quota: Quota, left: int, now: datetime) -> list[Planned]:
    """When each account is polled next, the soonest first; those without a poll before the reset come then."""
    reset = quota.resets_at(now)
    horizon_h = (reset - now).total_seconds() / 3600
    found = []
    for one, polls in zip(candidates, allocate(candidates, horizon_h, left), strict=True):
        wait_h = max(_gap(one, horizon_h, polls) - one.age_h, 0.0)
        at = now + timedelta(hours=wait_h) if polls else reset
        change = one.change_per_h * (one.age_h + (at - now).total_seconds() / 3600)
        found.append(Planned(one.account_id, one.change_per_h, change, one.cost, polls, at))
    return sorted(found, key=lambda planned: (planned.at, -planned.change / planned.cost))


def candidates_of(accounts: dict[str, AccountState], now: datetime) -> list[Candidate]:
    """What earlier polls tell; an account whose rate is unknown is taken for an average one."""
    known = [account.change_per_h for account in accounts.values() if account.change_per_h is not None]
    usual = sum(known) / len(known) if known else 1.0
    found = []
    for account_id, account in accounts.items():
        rate = usual if account.change_per_h is None else account.change_per_h
        age_h = UNKNOWN_AGE_H
        if account.polled_ms is not None:
            age_h = max((now - from_ms(account.polled_ms)).total_seconds() / 3600, 0.0)
        found.append(Candidate(account_id, max(rate, LEAST_CHANGE), account.cost or UNKNOWN_COST, age_h))
    return found
