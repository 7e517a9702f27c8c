"""Compares what was visible with what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kolray.benchmarks.fuzz.mutations import MUTATIONS, VALID

AT = ["topic", "partition", "offset"]
VERDICTS = pl.DataFrame({"mutation": list(MUTATIONS), "verdict": [m.verdict for m in MUTATIONS.values()]})
CHECKSUM = "CRC-32C"


@dataclass(frozen=True)
class Findings:
    """``records`` = ``events`` + ``dead_letters``, and all between ``missing`` and ``damage_believed`` must be 0.

    ``missing``: visible records that ended nowhere, and records sent that no client sees. ``twice``: records that ended
    more than once. ``unseen``: what ended though no client may see it (aborted). ``wrong``: broken records that were
    counted, valid ones that were not. ``changed``: valid events counted as another one. ``without_reason``: dead
    letters that do not say why. ``damage_believed``: records of damaged batches that were not named as such.
    """

    records: int
    events: int
    dead_letters: int
    missing: int
    twice: int
    unseen: int
    wrong: int
    changed: int
    without_reason: int
    damage_believed: int
    damaged_records: int
    by_mutation: dict[str, tuple[int, int]]
    """Mutation → (events, dead letters), damaged batches apart."""

    @property
    def accounted(self) -> bool:
        """Whether every record ended once, as it had to."""
        wrong = (self.missing, self.twice, self.unseen, self.wrong, self.changed, self.without_reason)
        sums = self.records == self.events + self.dead_letters
        return sums and not any(wrong) and not self.damage_believed


def judge(
    sent: pl.DataFrame, seen: pl.DataFrame, events: pl.DataFrame, letters: pl.DataFrame, damaged: pl.DataFrame
) -> Findings:
    """Compares.

    Args:
        sent: ``topic, partition, nth, mutation, event_id`` of what committed transactions and plain producers sent.
        seen: ``topic, partition, offset, nth`` as another client sees it.
        events: ``topic, partition, offset, event_id`` of what was counted.
        letters: ``topic, partition, offset, reason`` of the dead letters.
        damaged: ``topic, partition, first_offset, last_offset`` of batches damaged in the log.
    """
    both = sent.join(seen, on=["topic", "partition", "nth"], how="full", coalesce=True)
    records = both.drop_nulls(["mutation", "offset"]).join(VERDICTS, on="mutation", how="left")
    ends = pl.concat(
        [
            events.select(*AT, "event_id", reason=pl.lit(None, pl.String), counted=pl.lit(value=True)),
            letters.select(*AT, pl.lit(None, pl.String).alias("event_id"), "reason", counted=pl.lit(value=False)),
        ]
    )
    known = records.join(ends, on=AT, how="left", suffix="_got").join(_inside(records, damaged), on=AT, how="left")
    whole = known.filter(pl.col("damaged").is_null() & pl.col("counted").is_not_null())
    hurt = known.filter(pl.col("damaged"))
    named = (~pl.col("counted") & pl.col("reason").str.contains(CHECKSUM)).fill_null(value=False)
    return Findings(
        records=records.height,
        events=events.height,
        dead_letters=letters.height,
        missing=known["counted"].null_count() + both.height - records.height,
        twice=ends.height - ends.select(AT).n_unique(),
        unseen=ends.join(records, on=AT, how="anti").height,
        wrong=whole.filter(pl.col("counted") != (pl.col("verdict") == "event"), pl.col("verdict") != "either").height,
        changed=whole.filter("counted", pl.col("mutation").is_in(list(VALID)))
        .filter(pl.col("event_id_got").ne_missing(pl.col("event_id")))
        .height,
        without_reason=letters.filter(pl.col("reason").str.len_bytes() == 0).height,
        damage_believed=hurt.filter(~named).height,
        damaged_records=hurt.height,
        by_mutation=_by_mutation(whole),
    )


def _inside(records: pl.DataFrame, damaged: pl.DataFrame) -> pl.DataFrame:
    """Places of records in damaged batches, with ``damaged`` true."""
    held = records.select(AT).join(damaged, on=["topic", "partition"])
    inside = held.filter(pl.col("offset").is_between("first_offset", "last_offset"))
    return inside.select(*AT, damaged=pl.lit(value=True))


def _by_mutation(whole: pl.DataFrame) -> dict[str, tuple[int, int]]:
    counts = whole.group_by("mutation").agg(events=pl.col("counted").sum(), letters=(~pl.col("counted")).sum())
    return {name: (events, letters) for name, events, letters in counts.sort("mutation").iter_rows()}
