"""Requests against the running API, as a client would send them."""

from __future__ import annotations

import random
import time

import httpx


def send_requests(url: str, token: str, kol_ids: list[str], n: int = 500, seed: int = 7) -> dict[str, float]:
    """``n`` requests one after the other, four of five for a score; latencies in ms, failures counted."""
    chance = random.Random(seed)  # noqa: S311 - which KOL to ask for is no secret
    times, failed = [], 0
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10) as client:
        for i in range(n):
            kol_id = chance.choice(kol_ids)
            started = time.perf_counter()
            if i % 5:
                answer = client.post("/kol/score", json={"kol_id": kol_id})
            else:
                body = {"kol_id": kol_id, "metric": "engagement", "horizon_h": 24}
                answer = client.post("/forecast/predict", json=body)
            times.append((time.perf_counter() - started) * 1000)
            failed += answer.status_code != httpx.codes.OK
    times.sort()
    return {"requests": n, "failed": failed, "p50_ms": times[n // 2], "p95_ms": times[int(n * 0.95)]}
