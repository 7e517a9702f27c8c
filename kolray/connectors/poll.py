"""One poll of any platform: what changed since the last one becomes events.

Rules:

- A post's totals become increments. Those of a post older than the account's first poll begin with what that showed;
  one published since began with nothing, so its first totals are increments too.
- A count that is hidden keeps its last value; what it shows later is an increment from there.
- A post, a comment or an account that is not shown (any more) changes nothing: what happened did happen.
- Followers that are shown rounded down: a rise is told when it shows, a fall when it is more than one step of the
  rounding, since at the edge of a step one follower who comes and goes would look like thousands.
- Nothing happened after it was read: times ahead of our clock are those of the poll.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kolray.clock import Clock, from_ms, to_ms
from kolray.connectors.base import Broken, Comment, Connector, Post, Profile, Row, answer_of, hashed, increments
from kolray.connectors.state import PollState

PREFIXES = {"youtube": "yt", "tiktok": "tt", "weibo": "wb"}
MAX_PAGES = 20
"""Pages of posts, and of comments, that a poll of an account reads."""
MAX_ASKED = 20
"""Posts whose comments a poll asks for one by one: the newest of those that got more."""
STALE_AFTER = timedelta(hours=1)
"""A poll that was stopped longer ago begins anew, not at its cursor: totals would be of two times."""
LISTED_LATE = timedelta(days=1)
"""A post that was published so long before an account's first poll and not shown by it was published since."""
SMOOTHING = 0.3
"""Weight of the newest poll in an account's rate of change."""


async def poll_accounts(
    connector: Connector,
    accounts: Sequence[str],
    state: PollState,
    clock: Clock,
    spent: Callable[[], int] = lambda: 0,
) -> None:
    """Polls accounts one after the other, page by page; events are left in ``state``.

    A poll that was stopped by a crash or a spent quota goes on at its cursor and leaves out what it had finished.

    Args:
        spent: units of quota spent so far, to learn what an account costs.
    """
    with state.step():
        number = state.begin_round(to_ms(clock.now()), int(STALE_AFTER.total_seconds() * 1000))
    size = connector.profiles_a_call
    for at in range(0, len(accounts), size):
        polls = [AccountPoll(connector, account_id, state, clock, spent) for account_id in accounts[at : at + size]]
        waiting = {poll.account_id: poll for poll in polls if poll.begins_in(number)}
        if waiting:
            with answer_of(connector.platform):
                profiles = await connector.fetch_profile(list(waiting))
            shown = {profile.account_id: profile for profile in profiles}
            with state.step():
                for account_id, poll in waiting.items():
                    poll.take_profile(shown.get(account_id), number)
        for poll in polls:
            await poll.run()
    with state.step():
        state.end_round(number)


class AccountPoll:
    """The poll of one account: profile, posts, comments; every page is one step of ``state``."""

    def __init__(
        self, connector: Connector, account_id: str, state: PollState, clock: Clock, spent: Callable[[], int]
    ) -> None:
        self.account_id = account_id
        self._connector, self._state, self._clock, self._spent = connector, state, clock, spent
        self._prefix = PREFIXES[connector.platform]
        self._at = state.account(account_id)

    def begins_in(self, number: int) -> bool:
        """Whether this round has done nothing of the account so far."""
        return self._at.round != number

    def take_profile(self, profile: Profile | None, number: int) -> None:
        """The first step of a round; None: the account is not there (any more)."""
        self._at = replace(
            self._at,
            round=number,
            caught_up=self._at.stage == "done",
            stage="posts",
            cursor=None,
            pages=0,
            asked=[],
            started_ms=to_ms(self._clock.now()),
            changed=0,
            units=1,
        )
        if profile is None:
            self._at.stage = "done"
            self._finish()
        else:
            self._add(self._profile(profile))
        self._keep()

    async def run(self) -> None:
        """What is left of the round's poll."""
        while self._at.stage != "done":
            before = self._spent()
            if self._at.stage == "posts":
                with answer_of(self._connector.platform):
                    posts = await self._connector.fetch_posts(self.account_id, self._at.cursor)
                with self._state.step():
                    self._add([row for post in posts.items for row in self._post(post)])
                    self._state.add_pending([row for broken in posts.broken for row in self._broken(broken)])
                    self._end_page(posts.cursor, "comments", before)
            else:
                asked, cursor = self._at.asked, self._at.cursor
                with answer_of(self._connector.platform):
                    comments = await self._connector.fetch_comments(self.account_id, asked, cursor)
                with self._state.step():
                    self._state.add_pending([row for broken in comments.broken for row in self._broken(broken)])
                    new = [row for comment in comments.items for row in self._comment(comment)]
                    self._add(new)
                    caught_up = not new and self._at.caught_up and self._connector.comments_newest_first
                    self._end_page(None if caught_up else comments.cursor, "done", before)

    def _add(self, rows: list[Row]) -> None:
        self._state.add_pending(rows)
        self._at.changed += sum(_size(row) for row in rows)

    def _end_page(self, cursor: str | None, following: str, spent_before: int) -> None:
        self._at.units += self._spent() - spent_before
        self._at.pages += 1
        self._at.cursor = cursor
        if cursor is None or self._at.pages >= MAX_PAGES:
            self._at.stage, self._at.cursor, self._at.pages = following, None, 0
        if self._at.stage == "done":
            self._finish()
        self._keep()

    def _finish(self) -> None:
        now = to_ms(self._clock.now())
        if self._at.polled_ms is not None:
            hours = max(now - self._at.polled_ms, 1000) / 3_600_000
            rate, known = self._at.changed / hours, self._at.change_per_h
            self._at.change_per_h = rate if known is None else known + SMOOTHING * (rate - known)
        self._at.first_ms = self._at.started_ms if self._at.first_ms is None else self._at.first_ms
        self._at.polled_ms, self._at.cost = now, self._at.units

    def _keep(self) -> None:
        self._state.keep_account(self.account_id, self._at)

    def _profile(self, profile: Profile) -> list[Row]:
        """A profile event if anything changed."""
        key = f"{self._prefix}:{self.account_id}:profile"
        before = self._state.seen(key)
        followers = _shown(profile, (before or {}).get("followers"))
        counts = {"followers": followers, "following": profile.following, "posts": profile.posts}
        if before == counts:
            return []
        self._state.keep(key, counts)
        created = None if profile.created_at is None else to_ms(profile.created_at)
        more = {"verified": profile.verified, "account_created_at": created, **counts}
        return [self._row(self._state.next_id(key), "profile", self._clock.now()) | more]

    def _post(self, post: Post) -> list[Row]:
        """The post at first sight, and what its counts grew by."""
        key = f"{self._prefix}:{post.post_id}:totals"
        before = self._state.seen(key)
        rows, first_seen = [], before is None
        if before is None:
            row = self._row(f"{self._prefix}:{post.post_id}:post", "post", post.published_at)
            rows.append(row | {"post_id": post.post_id, "text": post.text, "lang": post.lang})
            new = self._published_since(post)
            before = {name: 0 if new and value is not None else value for name, value in post.totals.items()}
        kind, grown = increments(before, post.totals)
        self._state.keep(key, before | {name: value for name, value in post.totals.items() if value is not None})
        if grown:
            grown_row = self._row(self._state.next_id(key), kind, self._clock.now())
            rows.append(grown_row | {"post_id": post.post_id, **grown})
        more = post.totals.get("comments") if first_seen else grown.get("comments")
        if (more or 0) > 0 and len(self._at.asked) < MAX_ASKED:
            self._at.asked = [*self._at.asked, post.post_id]
        return rows

    def _published_since(self, post: Post) -> bool:
        first = self._at.first_ms
        return first is not None and post.published_at >= from_ms(first) - LISTED_LATE

    def _comment(self, comment: Comment) -> list[Row]:
        key = f"{self._prefix}:{comment.comment_id}:comment"
        if self._state.seen(key) is not None:
            return []
        self._state.keep(key, {})
        author = hashed(self._state.salt, comment.author)
        row = self._row(key, "comment", comment.at)
        return [row | {"post_id": comment.post_id, "author_id": author, "text": comment.text}]

    def _broken(self, broken: Broken) -> list[Row]:
        """No event: a row without a type, which becomes a dead letter, once for each such item."""
        key = f"{self._prefix}:{self.account_id}:{hashlib.sha256(broken.item.encode()).hexdigest()[:24]}:broken"
        if self._state.seen(key) is not None:
            return []
        self._state.keep(key, {})
        return [self._row(key, "", self._clock.now()) | {"reason": broken.reason, "item": broken.item}]

    def _row(self, event_id: str, event_type: str, at: datetime) -> Row:
        identity = {"event_id": event_id, "kol_id": self.account_id, "platform": self._connector.platform}
        return identity | {"event_type": event_type, "event_time": to_ms(min(at, self._clock.now()))}


def _shown(profile: Profile, before: int | None) -> int | None:
    """Followers as they are told (module docstring)."""
    now, step = profile.followers, profile.followers_step
    if now is not None and before is not None and step > 1 and 0 < before - now <= step:
        return before
    return now


def _size(row: Row) -> int:
    """How much an event changes: increments, else one."""
    counted = sum(abs(row.get(name) or 0) for name in ("views", "likes", "comments", "shares"))
    return counted or 1
