"""What conversions of a campaign are worth, and in which currency: none is ever converted into another."""

from __future__ import annotations

import polars as pl

KEY = ["campaign_id", "kol_id"]
TROUBLES = {
    "mixed_currency": "its conversions have several currencies: revenue cannot be added up",
    "other_currency": "its conversions are paid in another currency than the budget",
    "nothing_sold": "nobody has ever paid in its currency: what a conversion brings is not known",
}
"""Beside ``booked.TROUBLES``."""


def with_money(booked: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    """Adds ``paid_in`` (currency of the revenue), ``worth`` (mean value of a conversion in it), more ``troubles``.

    ``paid_in`` is what conversions were paid in so far, else the budget's currency; ``worth`` is that of all campaigns
    in this currency, which is all that is known of a campaign without sales. Both are null where revenue is not known.

    Args:
        hits: rows of ``gold.campaign_hourly``; ``value`` is null in an hour with several currencies.
    """
    sold = hits.filter(pl.col("web_conversions") > 0)
    of_currency = sold.filter(pl.col("currency").is_not_null()).group_by(paid_in="currency")
    worth = of_currency.agg(worth=pl.col("value").sum() / pl.col("web_conversions").sum())
    own = sold.group_by(KEY).agg(
        mixed=pl.col("value").is_null().any() | (pl.col("currency").drop_nulls().n_unique() > 1),
        sold_in=pl.col("currency").drop_nulls().first(),
    )
    booked = booked.with_columns(pl.col("currency").cast(pl.String))
    told = booked.join(own, on=KEY, how="left", maintain_order="left").with_columns(
        pl.col("mixed").fill_null(value=False), paid_in=pl.coalesce("sold_in", "currency")
    )
    told = told.with_columns(paid_in=pl.when(~pl.col("mixed")).then("paid_in"))
    told = told.join(worth.filter(pl.col("worth") > 0), on="paid_in", how="left", maintain_order="left")
    found = {
        "mixed_currency": pl.col("mixed"),
        "other_currency": (pl.col("paid_in") != pl.col("currency")).fill_null(value=False),
        "nothing_sold": ~pl.col("mixed") & pl.col("worth").is_null(),
    }
    more = pl.concat_list(pl.when(holds).then(pl.lit(name)) for name, holds in found.items()).list.drop_nulls()
    return told.with_columns(troubles=pl.concat_list("troubles", more)).drop("mixed", "sold_in")
