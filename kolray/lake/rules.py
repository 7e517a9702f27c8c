"""The rules silver holds events to, as data: an error costs the row its place in silver, a warning is only counted.

Errors are the stream's own rules (``events.event_rules``), no more and no fewer: a row silver alone refused would stand
in the stream's windows and be missing from the lake's. What only looks wrong is a warning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from kolray.events import COUNTS, EARLIEST_MS, KINDS, SIZES, Kind, event_rules

Severity = Literal["error", "duplicate", "warning"]
SOCIAL: tuple[Kind, ...] = ("social",)
WEB: tuple[Kind, ...] = ("web",)

AHEAD_S = 60
"""Seconds an event may be ahead of its Kafka timestamp before its sender's clock is doubted."""
OLD_DAYS = 30
LONG_TEXT = 10_000
"""Characters; the longest text a watched platform takes is a description of 5,000."""
HUGE_COUNT = 1_000_000_000
"""No single observation adds a billion: a total was sent where an increment is wanted."""
HUGE_VALUE = 1e10

_PADDED = r"^\s|\s$|\p{Cc}"
_PLAIN_PERSON = r"@|^\+?[\d\s().-]{9,15}$|^\d{1,3}(\.\d{1,3}){3}$"
"""An e-mail address, a handle, a phone number or an IP address where a hash is wanted."""
_BROKEN_TEXT = r"\x{FFFD}|Ã[\x{80}-\x{BF}]|á[º»][\x{80}-\x{BF}]|Ä[\x{80}-\x{91}]|â€"
"""UTF-8 that was read as Latin-1 or Windows-1252 on its way, or lost."""
_CONTROL = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]"
_LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
_PERSONAL_URL = r"(?i)[?&](e-?mail|phone|tel|token|password|pass|session(id)?)="


@dataclass(frozen=True)
class Rule:
    """One check of every row of some kinds.

    ``broken``: true where a row breaks it; null counts as kept. ``reason``: of an error, as a dead letter says it.
    """

    id: str
    kinds: tuple[Kind, ...]
    severity: Severity
    broken: pl.Expr
    means: str
    reason: str = ""


_MEANS = {
    "missing": "{} is needed and is null or empty",
    "too long": "{} has more bytes than an id may",
    "unknown": "{} is none of the kind's types",
    "out of range": "{} is no value that can be meant",
    "negative": "{} is negative where only a correction may be",
}


def _error(kind: Kind, broken: pl.Expr, reason: str) -> Rule:
    family, _, field = reason.partition(": ")
    means = _MEANS[family].format(field)
    return Rule(f"{family.replace(' ', '_')}.{field}", (kind,), "error", broken, means, reason)


def _warning(rule_id: str, kinds: tuple[Kind, ...], broken: pl.Expr, means: str) -> Rule:
    return Rule(rule_id, kinds, "warning", broken, means)


def _is(*types: str) -> pl.Expr:
    return pl.col("event_type").is_in(types)


def _blank(column: str) -> pl.Expr:
    return pl.col(column).is_null() | (pl.col(column).str.strip_chars() == "")


_EVENT, _BORN = pl.col("event_time"), pl.col("account_created_at")
_ahead, _age = _EVENT - pl.col("kafka_time"), pl.col("kafka_time") - _EVENT
_SEEN = pl.max_horizontal("impressions", "views")
_BORN_BEFORE = _BORN.dt.epoch("ms") < EARLIEST_MS

WARNINGS = (
    _warning("ahead.event_time", KINDS, _ahead > pl.duration(seconds=AHEAD_S),
             f"more than {AHEAD_S} s after its Kafka timestamp: the sender's clock is wrong"),
    _warning("old.event_time", KINDS, _age > pl.duration(days=OLD_DAYS),
             f"more than {OLD_DAYS} days before its Kafka timestamp: history, or a wrong unit"),
    _warning("padded.event_id", KINDS, pl.col("event_id").str.contains(_PADDED), "spaces or control characters around"),
    _warning("padded.kol_id", KINDS, pl.col("kol_id").str.contains(_PADDED),
             "spaces or control characters: another KOL to every computation"),
    _warning("spelling.platform", SOCIAL, ~pl.col("platform").str.contains(r"^[a-z0-9_]+$"),
             "not in lower case: KPIs would be split between two spellings"),
    _warning("missing.post_id", SOCIAL, _is("post", "comment", "engagement") & _blank("post_id"), "belongs to no post"),
    _warning("missing.author_id", SOCIAL, _is("comment") & _blank("author_id"), "a comment by nobody"),
    _warning("missing.text", SOCIAL, _is("post", "comment") & _blank("text"), "a post or comment that says nothing"),
    _warning("missing.counts", SOCIAL, _is("engagement", "correction") & pl.all_horizontal(pl.col(COUNTS).is_null()),
             "an engagement that counts nothing"),
    _warning("missing.sizes", SOCIAL, _is("profile") & pl.all_horizontal(pl.col(SIZES).is_null()),
             "a profile that says nothing"),
    _warning("misplaced.counts", SOCIAL, _is("post", "profile") & pl.any_horizontal(pl.col(COUNTS) != 0),
             "counts of an event that carries none"),
    _warning("personal.author_id", SOCIAL, pl.col("author_id").str.contains(_PLAIN_PERSON),
             "an address, a handle or a number where a hash is wanted"),
    _warning("long.text", SOCIAL, pl.col("text").str.len_chars() > LONG_TEXT, f"more than {LONG_TEXT:,} characters"),
    _warning("encoding.text", SOCIAL, pl.col("text").str.contains(_BROKEN_TEXT), "read in a wrong encoding on its way"),
    _warning("control.text", SOCIAL, pl.col("text").str.contains(_CONTROL), "control characters"),
    _warning("unknown.lang", SOCIAL, ~pl.col("lang").str.contains(_LANGUAGE), "no language tag, as vi or en-US"),
    _warning("excess.clicks", SOCIAL, _is("engagement") & (pl.col("clicks") > _SEEN), "more than were seen"),
    _warning("excess.likes", SOCIAL, _is("engagement") & (pl.col("likes") > _SEEN), "more than were seen"),
    _warning("excess.comments", SOCIAL, _is("engagement") & (pl.col("comments") > _SEEN), "more than were seen"),
    _warning("excess.shares", SOCIAL, _is("engagement") & (pl.col("shares") > _SEEN), "more than were seen"),
    _warning("huge.counts", SOCIAL, pl.any_horizontal(pl.col(COUNTS) > HUGE_COUNT),
             "over a billion at once: a total where an increment is wanted"),
    _warning("before.account_created_at", SOCIAL, _EVENT < _BORN, "the event is older than the account"),
    _warning("early.account_created_at", SOCIAL, _BORN_BEFORE, "before 2000: seconds where milliseconds are wanted"),
    _warning("missing.visitor", WEB, _blank("visitor") & pl.col("consent"), "consent, but no visitor"),
    _warning("personal.visitor", WEB, pl.col("visitor").str.contains(_PLAIN_PERSON),
             "an address or a number where a hash is wanted"),
    _warning("missing.consent", WEB, pl.col("consent").is_null(), "nobody knows whether there was consent"),
    _warning("missing.value", WEB, _is("conversion") & pl.col("value").is_null(), "a conversion of unknown worth"),
    _warning("misplaced.value", WEB, _is("impression", "click") & (pl.col("value") > 0), "worth, but no conversion"),
    _warning("huge.value", WEB, pl.col("value") > HUGE_VALUE, "ten billion for one conversion"),
    _warning("missing.currency", WEB, (pl.col("value") > 0) & _blank("currency"), "worth without its currency"),
    _warning("unknown.currency", WEB, ~pl.col("currency").str.contains(r"^[A-Z]{3}$"), "no ISO 4217 code, as VND"),
    _warning("form.url", WEB, ~pl.col("url").str.contains(r"^(https?://[^\s/]+|/)\S*$"), "neither http nor a path"),
    _warning("personal.url", WEB, pl.col("url").str.contains(_PERSONAL_URL), "an address or a secret in the query"),
)  # fmt: skip

DUPLICATE = Rule("duplicate.event_id", KINDS, "duplicate", pl.lit(value=False), "a copy: the first of an id is kept")
"""Silver finds it by comparing rows, also with earlier runs; a copy is dropped and counted."""

RULES: tuple[Rule, ...] = (
    *(_error(kind, *rule) for kind in KINDS for rule in event_rules(kind)),
    DUPLICATE,
    *WARNINGS,
)
"""All rules. An id stands for one meaning; errors of the two kinds may share it."""


def rules_of(kind: Kind, severity: Severity) -> list[Rule]:
    """The rules of a kind, in order."""
    return [rule for rule in RULES if kind in rule.kinds and rule.severity == severity]
