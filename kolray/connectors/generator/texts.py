"""Comments in Vietnamese, with and without diacritics, and English, in three moods; captions."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

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
_SET = {
    "generic": ("Nice!", "Great content", "So good", "hay quá bạn ơi", "Tuyệt vời", "Love it", "Wow", "đẹp quá",
                "Amazing"),
    "emoji": ("😍😍😍", "🔥🔥", "❤️", "👍👍👍", "😂😂", "🥰", "👏👏👏", "💯"),
    "spam": ("follow mình nhé", "sub chéo không bạn", "vay tiền nhanh zalo 0900000000",
             "free followers www.getfans.top", "check my page", "kiếm tiền tại nhà, inbox",
             "earn money from home", "theo dõi lại mình nha"),
}  # fmt: skip
_JOINED = {"vi": "Đã tham gia, chúc mình may mắn", "en": "Joined the giveaway, wish me luck"}
_CAPTIONS = {
    "vi": ("Video mới lên sóng, mọi người xem nhé", "Hôm nay đi chợ với mình", "Trả lời câu hỏi của các bạn",
           "Một ngày của mình ở Đà Nẵng", "Review thật lòng sau hai tuần", "Mẹo nhỏ cho cuối tuần",
           "Ở nhà nấu gì đây", "Cảm ơn mọi người đã chờ", "Phần hai như đã hứa", "Hậu trường buổi quay hôm qua"),
    "en": ("A new video is up, have a look", "A day at the market", "Answering your questions",
           "What I learned this year", "An honest review after two weeks", "Small tips for the weekend",
           "What to cook at home", "Thanks for waiting",
           "Part two as promised", "Behind the scenes of yesterday"),
}  # fmt: skip
LANGUAGES = ("vi", "en")
COPIED = 3
"""Texts that those who copy under one KOL take turns with."""
Strings = npt.NDArray[np.str_]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@cache
def _pool(plain: bool) -> tuple[npt.NDArray[np.object_], Ints, Ints]:
    """All clauses, and where those of a (language, mood) begin and how many they are, by 3 x language + mood + 1."""
    clauses: list[str] = []
    first, size = [], []
    for language in LANGUAGES:
        for mood in (-1, 0, 1):
            subjects, ends = _PHRASES[language][mood]
            own = [f"{subject} {end}" for subject in subjects for end in ends]
            first.append(len(clauses))
            size.append(len(own))
            clauses += [without_diacritics(text) for text in own] if plain else own
    return np.array(clauses, dtype=object), np.array(first), np.array(size)


def write_comments(
    rng: np.random.Generator, language: Strings, mood: Ints, styles: dict[str, Bools], kol: Ints
) -> pl.Series:
    """One comment each.

    Args:
        language, mood: of each comment (vi, en; -1, 0, 1).
        styles: which are ``plain`` (no diacritics), ``long`` (two clauses), ``copies`` (of the few texts others copy
            under this KOL), ``emoji``, ``generic``, ``spam``, ``joined`` (a giveaway); the later of these wins.
        kol: number of the KOL.
    """
    n = len(language)
    group = 3 * (language == "en") + mood + 1
    draw, more = rng.integers(0, 1 << 30, n), rng.integers(0, 1 << 30, n)
    draw = np.where(styles["copies"], kol * 31 + draw % COPIED, draw)
    said = np.empty(n, dtype=object)
    for plain in (False, True):
        clauses, first, size = _pool(plain)
        mine = np.flatnonzero(styles["plain"] == plain)
        at = group[mine]
        said[mine] = clauses[first[at] + draw[mine] % size[at]]
        longer = mine[(styles["long"] & ~styles["copies"])[mine]]
        at = group[longer]
        said[longer] = said[longer] + ", " + clauses[first[at] + more[longer] % size[at]]
    for style, texts in _SET.items():
        mine = np.flatnonzero(styles[style])
        said[mine] = np.array(texts, dtype=object)[draw[mine] % len(texts)]
    for code in LANGUAGES:
        said[styles["joined"] & (language == code)] = _JOINED[code]
    return pl.Series(said.tolist(), dtype=pl.String)


def write_captions(rng: np.random.Generator, language: Strings, same: Bools, kol: Ints) -> pl.Series:
    """A caption for each post; ``same`` ones are the KOL's standing text."""
    n = len(language)
    draw = np.where(same, kol, rng.integers(0, 1 << 20, n))
    part = np.where(same, 1, rng.integers(1, 100, n))
    out = [_CAPTIONS[code][d % len(_CAPTIONS[code])] for code, d in zip(language, draw, strict=True)]
    return pl.Series([f"{text} #{p}" for text, p in zip(out, part, strict=True)], dtype=pl.String)


def without_diacritics(text: str) -> str:
    """As typed on a keyboard without them."""
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(c for c in decomposed if not unicodedata.combining(c))
