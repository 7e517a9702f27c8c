"""What a metric is, and how it is made from its definition, so that names, labels and buckets stand in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

MetricKind = Literal["counter", "gauge", "histogram"]
Part = Literal["stream", "serving", "tracking", "webhooks", "models", "lake", "sources", "runs", "exporter"]
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        name: as Prometheus shows it, with its base unit (``_seconds``, ``_bytes``) and ``_total`` for a counter.
        part: what it tells about.
        about: the help text.
        buckets: upper bounds of a histogram, in the unit of the name.
    """

    name: str
    kind: MetricKind
    part: Part
    about: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names that a query may use."""
        return tuple(self.name + end for end in ("_bucket", "_sum", "_count")) if self.buckets else (self.name,)

    def family(self) -> Family:
        """Empty, for a collector that fills it when it is asked."""
        makers = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
        made: Family = makers[self.kind](self.name, self.about, labels=self.labels)
        return made

    def counter(self, registry: CollectorRegistry) -> Counter:
        """That a process counts itself."""
        return Counter(self.name, self.about, self.labels, registry=registry)

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        """That a process sets itself."""
        return Gauge(self.name, self.about, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        """That a process fills itself."""
        return Histogram(self.name, self.about, self.labels, buckets=self.buckets, registry=registry)
