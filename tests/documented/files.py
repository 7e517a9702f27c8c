"""The files that pages call yours: small, made up, and of the form that the page says."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import yaml

ROOT = Path(__file__).parents[2]


def write_files(folder: Path, now: datetime, port: int) -> None:
    """All of them.

    Args:
        folder: where pages find them.
        now: the newest events are of then.
        port: where ``served.yaml`` has the API.
    """
    draw = Random(1)
    _events(folder, now)
    _accounts(folder / "accounts.csv", draw, 200)
    _accounts(folder / "accounts_test.csv", draw, 60)
    _moods(folder / "moods.csv", draw, 200)
    _moods(folder / "moods_test.csv", draw, 60)
    _series(folder, draw, now)
    config = yaml.safe_load((ROOT / "serve_configs" / "dev.yaml").read_text())
    config["http_options"]["port"] = port
    (folder / "served.yaml").write_text(yaml.safe_dump(config))


def _events(folder: Path, now: datetime) -> None:
    event = {"kol_id": "mine", "platform": "tiktok", "event_type": "engagement"}
    times = [now - timedelta(minutes=minute) for minute in range(60, 0, -1)]
    lines = [json.dumps(event | {"event_time": at.isoformat(), "impressions": 500, "likes": 9}) for at in times]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    rows = [f"mine,engagement,{at.isoformat()},3" for at in times]
    (folder / "more.csv").write_text("\n".join(("kol_id,event_type,event_time,hearts", *rows)) + "\n")
    (folder / "kols.csv").write_text("kol_id,platform,category,tier,language\nmine,tiktok,beauty,nano,vi\n")
    campaign = f"mine-1,mine,{times[0].isoformat()},{now.isoformat()},100,EUR,beauty,"
    (folder / "campaigns.csv").write_text(f"campaign_id,kol_id,start,end,budget,currency,category,phases\n{campaign}\n")
    (folder / "labels.csv").write_text(f"kol_id,label,source,at\nmine,0,me,{now.isoformat()}\n")
    videos = [{"video_id": f"v{n}", "publish_time": at.isoformat(), "views": 10 * n} for n, at in enumerate(times)]
    (folder / "trending.json").write_text(json.dumps(videos))


def _accounts(file: Path, draw: Random, n: int) -> None:
    """Bought accounts follow many and are followed by few."""
    rows = []
    for number in range(n):
        fake = number % 4 == 0
        most = (300, 2000) if fake else (9000, 900)
        counts = f"{draw.randint(5, most[0])},{draw.randint(50, most[1])},{draw.randint(0, 9)}"
        rows.append(f"{file.stem}-{number},{counts},{int(fake)}")
    file.write_text("\n".join(("account_id,followers,following,lists,label", *rows)) + "\n")


def _moods(file: Path, draw: Random, n: int) -> None:
    words = {"negative": ("tệ quá", "thất vọng"), "neutral": ("bình thường", "ok"), "positive": ("tuyệt vời", "đẹp")}
    moods = draw.choices([*words], k=n)
    texts = [f"{draw.choice(words[mood])} {draw.randint(0, 999)}" for mood in moods]
    rows = [f"{text},{text},{mood},{mood}" for mood, text in zip(moods, texts, strict=True)]
    file.write_text("\n".join(("text,body,label,mood", *rows)) + "\n")


def _series(folder: Path, draw: Random, now: datetime) -> None:
    """``series.csv``: 30 days of hours of two shops; ``posts.csv``: a post a row, its counts every twenty minutes."""
    begin = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=30)
    rows = [
        f"{shop},{(begin + timedelta(hours=hour)).isoformat()},{100 + 50 * (hour % 24) + draw.randint(0, 20)}"
        for shop in ("shop_a", "shop_b")
        for hour in range(720)
    ]
    (folder / "series.csv").write_text("\n".join(("series_id,at,sales", *rows)) + "\n")
    posts = [[draw.randint(1, 9) * step for step in range(1, 73)] for _ in range(180)]
    head = ",".join(f"TS{step}" for step in range(1, 73))
    (folder / "posts.csv").write_text("\n".join((head, *(",".join(map(str, post)) for post in posts))) + "\n")
