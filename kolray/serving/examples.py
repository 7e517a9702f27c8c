"""One example of each body and answer, as ``/docs`` shows them."""

from __future__ import annotations

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
    },
    "AlertsAnswer": {"alerts": [_ALERT]},
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
"""By the name of the model in ``contracts.py``."""
