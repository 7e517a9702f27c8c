"""One example of each body and answer, as ``/docs`` shows them."""

from __future__ import annotations

import json
from typing import Any

_KOL = "kol_000042"
_AT = "2026-03-02T09:00:00Z"
_SCORE: dict[str, Any] = {
    "kol_id": _KOL,
    "trust_score": 81.4,
    "trust_interval": [74.9, 86.3],
    "probability": 0.186,
    "thin_data": False,
    "fake_share": {"share": 0.07, "lower": 0.02, "upper": 0.15},
    "success_forecast": 12840.5,
    "timestamp": "2026-03-02T09:12:31Z",
    "model": "trust:7",
    "features": {"source": "redis", "age_s": 751.0, "stale": False},
}
_ALERT: dict[str, Any] = {
    "alert_id": "5c1f0a9b7e3d4c21",
    "rule": "engagement_spike",
    "kol_id": _KOL,
    "window": "5m",
    "window_start": _AT,
    "severity": "high",
    "evidence": {"sigma": 5.2},
    "at": "2026-03-02T09:05:07Z",
}
_CAMPAIGN: dict[str, Any] = {
    "kol_id": _KOL,
    "state": "running",
    "start": "2026-02-28T00:00:00Z",
    "end": "2026-03-07T00:00:00Z",
    "until": "2026-03-07T00:00:00Z",
    "budget": 1500.0,
    "spent": 510.0,
    "currency": "USD",
    "paid_in": "USD",
    "counts": [
        {
            "metric": "clicks",
            "actual": 412.0,
            "next_24h": {"value": 160.0, "lower": 96.0, "upper": 251.0},
            "total": {"value": 1130.0, "lower": 870.0, "upper": 1460.0},
        }
    ],
    "roi": {"actual": -0.12, "total": {"value": 0.41, "lower": -0.08, "upper": 0.95}},
    "lift": [{"metric": "engagement", "lift": 0.23, "lower": 0.08, "upper": 0.41, "hours": 57, "why_not": None}],
    "notes": {},
}


def _sent(event: dict[str, Any]) -> str:
    """An event as it goes over the wire."""
    return "".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}\n" for name, value in event.items()
    )


EXAMPLES: dict[str, dict[str, Any]] = {
    "ScoreRequest": {"kol_id": _KOL, "explain": False},
    "ScoreAnswer": _SCORE,
    "BatchRequest": {"kol_ids": [_KOL, "kol_000007"]},
    "BatchAnswer": {
        "model": "trust:7",
        "scored": 1,
        "results": [
            {"kol_id": _KOL, "score": _SCORE, "error": None},
            {
                "kol_id": "kol_000007",
                "score": None,
                "error": {
                    "status": 404,
                    "title": "Not found",
                    "detail": "nothing is known about the KOL 'kol_000007'",
                },
            },
        ],
    },
    "ForecastRequest": {"kol_id": _KOL, "metric": "engagement", "horizon_h": 6},
    "ForecastAnswer": {
        "kol_id": _KOL,
        "metric": "engagement",
        "model": "success:3",
        "origin": _AT,
        "source": "batch",
        "age_s": 751.0,
        "points": [{"at": _AT, "value": 512.0, "lower": 431.0, "upper": 640.0}],
    },
    "MetricsAnswer": {
        "kol_id": _KOL,
        "window": "5m",
        "windows": [{"window_start": _AT, "final": True, "likes": 31, "impressions": 940, "engagement_rate": 0.041}],
        "next": None,
    },
    "RankingAnswer": {
        "by": "trust",
        "platform": "tiktok",
        "category": None,
        "total": 18250,
        "ranking": [{"rank": 1, "kol_id": _KOL, "value": 93.1, "platform": "tiktok", "category": "food"}],
        "next": 20,
        "source": "redis",
        "age_s": None,
    },
    "AlertsAnswer": {"alerts": [_ALERT], "next": None},
    "Delivery": {"type": "alert.raised", "timestamp": "2026-03-02T09:05:07Z", "data": _ALERT},
    "CampaignAnswer": {
        "campaign_id": "cmp_00001",
        "as_of": _AT,
        "source": "batch",
        "age_s": 751.0,
        "kols": [_CAMPAIGN],
    },
    "Readiness": {
        "ready": True,
        "models": {"trust": "trust:7", "success": "success:3"},
        "metrics_store": "ok",
        "redis": "ok",
    },
    "ProblemDetails": {
        "type": "about:blank",
        "title": "Not found",
        "status": 404,
        "detail": "nothing is known about the KOL 'kol_000042'",
        "instance": "/kol/score",
        "request_id": "2f6a3b1c9d0e4f58a7b6c5d4e3f20110",
    },
}
"""By the name of the model in ``contracts.py`` or ``campaign_contracts.py``."""
_WINDOW = {
    "kol_id": _KOL, "window": "5m", "window_start": _AT, "final": False, "events": 6, "impressions": 940, "likes": 31,
    "comments": 5, "shares": 2, "followers_last": 184211, "engagement_rate": 0.0404, "sentiment_ratio": 0.8,
}  # fmt: skip
_PROGRESS = {
    "at": _AT, "state": "running", "events_per_s": 5230.0, "lag": 1840, "behind_s": 34.0, "checkpoint_age_s": 21.0,
    "events": 18400000, "dead_letters": 12,
}  # fmt: skip
EVENTS: dict[str, dict[str, Any]] = {
    "/live/metrics": {"event": "window", "id": "1772442000000", "data": _WINDOW},
    "/live/alerts": {"event": "alert", "id": "1772442307000-0", "data": _ALERT},
    "/live/stream": {"event": "progress", "data": _PROGRESS},
}
"""One event of each stream."""
TEXTS: dict[str, Any] = {
    "/healthz": {"status": "ok"},
    "/metrics": 'kolray_http_request_seconds_count{route="/kol/score",status="200"} 1042.0\n',
    **{path: _sent(event) for path, event in EVENTS.items()},
}
"""By the path of an operation whose answer has no model."""
