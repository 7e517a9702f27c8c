"""Accounts, posts and comments that grow with time: what they show is a function of seed and time alone."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from kolray.clock import Clock

COUNTS = ("views", "likes", "comments", "shares")


@dataclass(frozen=True)
class FakePost:
    """Counts rise by ``per_hour`` of each; from ``purged_at`` on, a tenth of the likes is gone (bought ones).

    From ``gone_at`` on it is deleted; from ``shy_from`` to ``shy_until`` its likes are hidden.
    """

    number: int
    account: int
    published_at: datetime
    per_hour: dict[str, float]
    purged_at: datetime
    gone_at: datetime | None
    shy_from: datetime
    shy_until: datetime

    def totals(self, at: datetime) -> dict[str, int | None]:
        """What is counted at a time; None where hidden."""
        hours = max((at - self.published_at).total_seconds() / 3600, 0.0)
        found: dict[str, int | None] = {name: int(rate * hours) for name, rate in self.per_hour.items()}
        if at >= self.purged_at:
            found["likes"] = int((found["likes"] or 0) * 0.9)
        if self.shy_from <= at < self.shy_until:
            found["likes"] = None
        return found

    def shown(self, at: datetime) -> bool:
        """Whether it is there."""
        return self.published_at <= at and (self.gone_at is None or at < self.gone_at)

    def comment_at(self, number: int) -> datetime:
        """When its n-th comment (from 0) was written."""
        return self.published_at + timedelta(hours=(number + 1) / self.per_hour["comments"])


@dataclass(frozen=True)
class FakeAccount:
    """Followers change steadily by ``per_hour``; ``hidden``: their number is not shown."""

    number: int
    made_at: datetime
    followers: int
    per_hour: float
    hidden: bool


class FakeWorld:
    """``n_accounts`` accounts with ``n_posts`` posts each, half of them published within a day after the clock's start.

    Args:
        skew_s: seconds by which the platform's clock is ahead of the test's.
    """

    def __init__(
        self, seed: int, clock: Clock, n_accounts: int = 2, n_posts: int = 6, skew_s: float = 0, steady: bool = False
    ) -> None:
        self._clock, self._skew = clock, timedelta(seconds=skew_s)
        start, draw = clock.now(), random.Random(seed)  # noqa: S311
        self.accounts = [
            FakeAccount(
                number,
                start - timedelta(days=draw.randint(50, 3000)),
                draw.randint(100, 3_000_000),
                draw.uniform(-20, 300),
                hidden=draw.random() < 0.2,
            )
            for number in range(n_accounts)
        ]
        self.posts = [
            _post(draw, account * n_posts + place, account, start, new=place % 2 == 1, steady=steady)
            for account in range(n_accounts)
            for place in range(n_posts)
        ]

    def now(self) -> datetime:
        """The platform's time."""
        return self._clock.now() + self._skew

    def followers(self, account: FakeAccount) -> int:
        """As they are, hidden or not."""
        hours = (self.now() - account.made_at).total_seconds() / 3600
        return max(int(account.followers + account.per_hour * hours / 24), 0)

    def posts_of(self, account: int) -> list[FakePost]:
        """Those that are there now, newest first."""
        found = [post for post in self.posts if post.account == account and post.shown(self.now())]
        return sorted(found, key=lambda post: (post.published_at, post.number), reverse=True)

    def post(self, number: int) -> FakePost | None:
        """One that is there now."""
        found = self.posts[number] if 0 <= number < len(self.posts) else None
        return found if found and found.shown(self.now()) else None

    def comments_of(self, post: FakePost) -> list[tuple[int, datetime]]:
        """(number over all posts, when it was written) of its comments now, newest first."""
        count = post.totals(self.now())["comments"] or 0
        return [(post.number * 100_000 + n, post.comment_at(n)) for n in reversed(range(count))]


def _post(draw: random.Random, number: int, account: int, start: datetime, *, new: bool, steady: bool) -> FakePost:
    published = start + timedelta(hours=draw.uniform(0.5, 24) if new else -draw.uniform(1, 400))
    rates = {"views": draw.uniform(0, 900), "likes": draw.uniform(0, 90), "shares": draw.uniform(0, 9)}
    shy = start + timedelta(hours=draw.uniform(-5, 40))
    never = start + timedelta(days=10_000)
    return FakePost(
        number,
        account,
        published.replace(microsecond=0),
        {**rates, "comments": draw.uniform(0.05, 0.3)},
        purged_at=never if steady else start + timedelta(hours=draw.uniform(1, 60)),
        gone_at=start + timedelta(hours=draw.uniform(5, 60)) if not steady and draw.random() < 0.2 else None,
        shy_from=never if steady else shy,
        shy_until=never if steady else shy + timedelta(hours=draw.uniform(0, 10)),
    )
