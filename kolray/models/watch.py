"""The night's look at the champions: measures to ``ops.drift``, alerts to the store and the topic."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from deltalake import write_deltalake

from kolray.clock import Clock
from kolray.connectors.producer import EventProducer
from kolray.errors import NotFoundError, ServiceUnavailableError
from kolray.lake.overlap import retried
from kolray.lake.tables import LakeTables, arrow_ready
from kolray.lake.turns import lake_job
from kolray.models.lifecycle import KINDS, Kind, newest_features
from kolray.models.monitor import AtTraining, alerts_of, measure, midnight, served
from kolray.models.registry import ModelRegistry
from kolray.models.served import served_figures
from kolray.observability.runs import recorded
from kolray.schemas.registry import open_registry
from kolray.settings import Settings
from kolray.stores.metrics import Version
from kolray.stores.open import open_feature_store, open_metrics_store

NAME = "ops.drift"


@recorded("drift")
def watch_models(settings: Settings, clock: Clock) -> dict[str, Any]:
    """Measures every champion and records it under today (UTC): a repeated run replaces the day's rows.

    Returns:
        for each model its label, how many features drifted, its estimated AUC and the alerts' rules; or what lacks.
    """
    registry = ModelRegistry.of(settings)
    try:
        features = newest_features(settings.lake_root)
    except NotFoundError as nothing:
        return {"skipped": str(nothing)}
    now, told = clock.now(), dict[str, Any]()
    for kind in KINDS:
        reference = registry.reference(kind)
        if reference is None:
            told[kind] = {"skipped": f"no {kind} champion, or it was trained before its world was kept"}
            continue
        told[kind] = _watch(settings, registry, kind, AtTraining.from_dict(reference), features, now)
    return told


def _watch(
    settings: Settings, registry: ModelRegistry, kind: Kind, then: AtTraining, features: pl.DataFrame, now: datetime
) -> dict[str, Any]:
    champion, tables = registry.load(kind), LakeTables(settings.lake_root)
    model = champion.model if then.scores is not None else None
    measures = measure(then, features, model, settings.models.drift_psi, settings.models.auc_drop)
    if kind == "success":
        now_served = served_figures(tables, champion.label)
        report = registry.report(kind, champion.version)["test"]
        measures = pl.concat([measures, served(now_served, report)]) if now_served else measures
    _record(tables, champion.label, measures, features.height, now)
    alerts = alerts_of(measures, champion.label, midnight(now), now)
    _raise(settings, alerts, now)
    of_features = measures.filter(pl.col("drifted") & (pl.col("kind") == "feature"))
    told = {"model": champion.label, "drifted_features": of_features.height}
    if kind == "success":
        told["served"] = dict(measures.filter(kind="forecast").select("name", "value").iter_rows())
    else:
        [told["estimated_auc"]] = measures.filter(name="estimated")["value"].to_list() or [None]
    return told | {"alerts": alerts["rule"].to_list()}


def _record(tables: LakeTables, model: str, measures: pl.DataFrame, n_kols: int, now: datetime) -> None:
    rows = measures.with_columns(at=pl.lit(now), model=pl.lit(model), kols=pl.lit(n_kols), dt=pl.lit(now.date()))
    own = f"dt = '{now.date()}' AND model = '{model}'"
    table = arrow_ready(rows, NAME).to_arrow()

    def write() -> None:
        place: dict[str, Any] = {"partition_by": ["dt"], "storage_options": tables.options}
        if tables.exists(NAME):
            write_deltalake(tables.path(NAME).url, table, mode="overwrite", predicate=own, **place)
        else:
            write_deltalake(tables.path(NAME).url, table, mode="append", **place)

    with lake_job(tables.root):
        retried(NAME, write)


def _raise(settings: Settings, alerts: pl.DataFrame, now: datetime) -> None:
    """To the topic first: a run that dies in between publishes them once more, under the same ids."""
    if not alerts.height:
        return
    with closing(open_metrics_store(settings)) as store:
        held = store.alerts(midnight(now) - timedelta(days=1), limit=10_000)["alert_id"]
        new = alerts.filter(~pl.col("alert_id").is_in(held.implode()))
        if new.height:
            producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
            producer.send_alerts(new)
            producer.flush()
            store.upsert_alerts(new, Version(0, int(now.timestamp() * 1_000_000)))
            with suppress(ServiceUnavailableError), closing(open_feature_store(settings.redis)) as live:
                live.put_alerts(new)
