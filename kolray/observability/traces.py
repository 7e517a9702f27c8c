"""Where spans go: an OpenTelemetry collector, in batches and behind the answers."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.trace import Tracer

from kolray.errors import SettingsError
from kolray.settings import ObserveSettings


def open_tracer(settings: ObserveSettings) -> tuple[Tracer, Callable[[], None]]:
    """A tracer that sends to ``settings.traces``, and what ends it: it sends what is left.

    A request whose caller says that it is traced is traced; of the others ``trace_share``.

    Raises:
        SettingsError: the packages of the extra ``traces`` are not here.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
    except ImportError as error:
        raise SettingsError(f"observe.traces needs `pip install 'kolray[traces]'` ({error})") from error
    sampler = ParentBasedTraceIdRatio(settings.trace_share)
    provider = TracerProvider(sampler=sampler, resource=Resource.create({"service.name": "kolray"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.traces)))
    return provider.get_tracer("kolray"), provider.shutdown
