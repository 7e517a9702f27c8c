"""Comments in Vietnamese, with and without diacritics, and English, in three moods."""

from __future__ import annotations

import unicodedata

import numpy as np

_PHRASES: dict[str, dict[int, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "vi": {
        1: (("video này", "sản phẩm", "chị", "cách nói chuyện", "bài hát", "món này", "kênh"),
            ("hay quá", "đẹp lắm", "tuyệt vời", "rất hữu ích", "dễ thương ghê", "đáng mua", "xịn sò", "thích quá")),
        0: (("mua ở đâu vậy", "giá bao nhiêu", "bao giờ có phần tiếp", "cho mình xin link", "tên bài hát là gì"),
            ("ạ", "với", "nhỉ", "chị ơi", "mọi người ơi")),
        -1: (("video này", "sản phẩm", "quảng cáo", "chất lượng", "dịch vụ", "nội dung", "món này"),
             ("chán quá", "tệ thật", "lừa đảo", "không đáng tiền", "thất vọng ghê", "dở lắm", "giả tạo", "nhảm nhí")),
    },
    "en": {
        1: (("this video", "the product", "your voice", "this channel", "the food", "your style"),
            ("is amazing", "is so good", "is beautiful", "made my day", "is really helpful", "is worth it", "rocks")),
        0: (("where can I buy this", "how much is it", "what song is this", "when is part two", "link please"),
            ("?", "please", "guys", "anyone", "thanks")),
        -1: (("this video", "the product", "this ad", "the quality", "the service", "the content"),
             ("is terrible", "is a scam", "is boring", "is not worth it", "is so fake", "disappoints", "is awful")),
    },
}  # fmt: skip
BOT_TEXTS = ("Nice!", "Great content", "So good", "hay quá bạn ơi", "Tuyệt vời", "Love it", "follow mình nhé", "Wow")
GIVEAWAY_TEXT = {"vi": "Đã tham gia, chúc mình may mắn", "en": "Joined the giveaway, wish me luck"}


def write_comments(rng: np.random.Generator, languages: list[str], moods: list[int]) -> list[str]:
    """One comment each; a third of the Vietnamese ones without diacritics."""
    a, b, tail = (rng.integers(0, 1 << 30, len(moods)) for _ in range(3))
    plain = rng.random(len(moods)) < 0.33
    out = []
    for i, (language, mood) in enumerate(zip(languages, moods, strict=True)):
        subjects, ends = _PHRASES[language][mood]
        text = f"{subjects[a[i] % len(subjects)]} {ends[b[i] % len(ends)]}"
        if tail[i] % 7 == 0:
            text += " " + ("😍", "🔥", "👍", "😡", "…")[tail[i] % 5]
        out.append(without_diacritics(text) if plain[i] and language == "vi" else text)
    return out


def without_diacritics(text: str) -> str:
    """As typed on a keyboard without them."""
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(c for c in decomposed if not unicodedata.combining(c))
