"""How much a single comment looks like spam: the one definition that silver, features and models use.

Ten signs of the text alone, joined as independent doubts: ``1 - Π(1 - weight)``. Source: the link, repetition and
emoji features of TubeSpam (Alberto et al. 2015) and its successors; phrases of Vietnamese and English follow-trading,
contact bait and bought praise, gathered by hand, as are the weights. Limits: it knows two languages and no pictures; a
friend's "hay quá" is as generic as a bot's, so praise alone stays below one half; what only many comments together
show (the same text by many authors) is in the features ``comment_repetition`` and ``audience_overlap``, not here.
"""

from __future__ import annotations

import polars as pl

_B = r"(?-u:\b)"
"""A word's edge by ASCII: the Unicode one costs forty times as much on Vietnamese text."""
ADVERTISING = (
    rf"(?i)https?://|www\.|{_B}f4f{_B}|follow (me|back|for|chéo|cheo)|{_B}sub (for|chéo|cheo)|"
    rf"theo dõi lại|theo doi lai|tương tác chéo|tuong tac cheo|"
    rf"{_B}(zalo|telegram|whatsapp){_B}|check my (page|profile|bio)|{_B}dm me{_B}|"
    rf"tăng (follow|like|sub)|tang (follow|like|sub)|vay tiền|vay tien|kiếm tiền|kiem tien|earn money|"
    r"free followers|[0-9]{9,}"
)
"""Advertising, contact bait and follow-for-follow."""
_BAIT = r"(?i)(follow|sub|theo dõi|theo doi|ủng hộ|ung ho) (mình|minh|kênh|kenh|page|shop|my|us)|visit my|in (my )?bio"
_LINK = rf"(?i)https?://|www\.|[a-z0-9-]\.(com|net|org|vn|xyz|top|shop|ly|me){_B}"
_MONEY = (
    rf"(?i)(kiếm|kiem) (tiền|tien)|vay (tiền|tien|vốn|von|nhanh)|việc nhẹ|viec nhe|tuyển ctv|tuyen ctv|cá độ|lô đề|"
    rf"{_B}(casino|betting|forex|bitcoin){_B}|crypto signal|(earn|make) (money|\$[0-9]+)|work from home|"
    r"giveaway winner|you (have )?won"
)
PRAISE = (
    r"(?i)^[^\p{L}\p{N}]*(nice|wow|great|cool|amazing|awesome|perfect|beautiful|love (it|this)|"
    r"so (good|nice|cool|cute)|(nice|great|good|amazing|awesome) (content|post|pic|photo|video|one|job|work)|"
    r"keep it up|well done|(hay|đẹp|dep|tuyệt|tuyet|đỉnh|dinh|xinh) ?(quá|qua|lắm|lam|vời|voi|ghê|ghe)?"
    r"( (bạn|ban|anh|chị|chi|em|shop))?( ơi| oi)?)[^\p{L}\p{N}]*$"
)
"""The whole comment is praise that fits any post."""
_TAGS = r"[@#][\w.]+"
_MANY_TAGS = 4
_RUNS = "|".join(rf"{c}{{6}}" for c in ("a", "e", "i", "o", "u", "h", "k", "x", "!", r"\?", r"\.", "0", "1"))
_CAPITALS = 12

SIGNS: dict[str, tuple[float, str]] = {
    "advertising": (0.9, "advertises, trades follows or leads to a private channel"),
    "bait": (0.6, "asks to follow or visit its writer"),
    "link": (0.6, "holds a link or a bare domain"),
    "money": (0.8, "promises money, loans, bets or jobs"),
    "praise": (0.4, "is nothing but praise that fits any post"),
    "emoji": (0.35, "holds no letter and no digit"),
    "repeats_words": (0.5, "says one word three times or more, in one spelling, and nothing else"),
    "repeats_characters": (0.2, "holds a character six times in a row"),
    "tags": (0.4, f"holds {_MANY_TAGS} mentions or hashtags or more"),
    "shouts": (0.2, f"holds {_CAPITALS} capital letters or more and no small one"),
}
"""Sign → (weight, what the comment does)."""


def spam_signs(text: pl.Expr) -> dict[str, pl.Expr]:
    """Each of ``SIGNS`` as a boolean. Without a text they are null, but for ``repeats_words``, which is false."""
    return {
        "advertising": text.str.contains(ADVERTISING),
        "bait": text.str.contains(_BAIT),
        "link": text.str.contains(_LINK),
        "money": text.str.contains(_MONEY),
        "praise": text.str.contains(PRAISE),
        "emoji": ~text.str.contains(r"[\p{L}\p{N}]") & text.str.contains(r"\S"),
        "repeats_words": _is_one_word_again(text).fill_null(value=False),
        "repeats_characters": text.str.contains(f"(?i){_RUNS}"),
        "tags": text.str.count_matches(_TAGS) >= _MANY_TAGS,
        "shouts": ~text.str.contains(r"\p{Ll}") & (text.str.count_matches(r"\p{Lu}") >= _CAPITALS),
    }


def _is_one_word_again(text: pl.Expr) -> pl.Expr:
    """Its bytes repeat with the period of the first word (splitting texts into lists takes ten times as long)."""
    said = text.str.strip_chars()
    period, size = said.str.find(" ", literal=True).cast(pl.Int64) + 1, said.str.len_bytes().cast(pl.Int64)
    rest = said.cast(pl.Binary).bin.slice(period)
    return (size >= 3 * period - 1) & (rest == said.cast(pl.Binary).bin.head(size - period))


def spam_signal(text: pl.Expr) -> pl.Expr:
    """``spam``: 0 (no sign) to 1 as Float32; null where there is no text."""
    kept = pl.lit(1.0, pl.Float32)
    for name, sign in spam_signs(text).items():
        kept *= 1.0 - sign.cast(pl.Float32) * SIGNS[name][0]
    return (1.0 - kept).cast(pl.Float32).alias("spam")
