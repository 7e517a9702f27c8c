"""Strings of the pages of trust, campaigns, searches and health, and of the stream's tiles, in each language."""

from __future__ import annotations

from collections.abc import Mapping

EN: Mapping[str, str] = {
    # the stream
    "stream_title": "Right now",
    "stream_state": "Stream",
    "stream_running": "Running",
    "stream_ended": "Ended",
    "stream_gone": "Not heard from",
    "stream_rate": "Events a second",
    "stream_lag": "Waiting to be read",
    "stream_events": "Events read",
    "stream_behind": "Event time behind",
    "stream_checkpoint": "Last checkpoint",
    "stream_spark": "The last {n} seconds: now {last}, at most {most}.",
    "stream_none": "No stream has told anything yet. It appears here once “kolray stream” runs.",
}

VI: Mapping[str, str] = {
    # the stream
    "stream_title": "Ngay lúc này",
    "stream_state": "Luồng",
    "stream_running": "Đang chạy",
    "stream_ended": "Đã kết thúc",
    "stream_gone": "Mất liên lạc",
    "stream_rate": "Sự kiện mỗi giây",
    "stream_lag": "Đang chờ đọc",
    "stream_events": "Sự kiện đã đọc",
    "stream_behind": "Chậm so với sự kiện",
    "stream_checkpoint": "Điểm lưu gần nhất",
    "stream_spark": "{n} giây gần nhất: hiện tại {last}, cao nhất {most}.",
    "stream_none": "Chưa có luồng nào báo tin. Nó xuất hiện ở đây khi “kolray stream” chạy.",
}
