"""The spam signal of a comment."""

from __future__ import annotations

import polars as pl
import pytest

from kolray.features.spam import SIGNS, spam_signal, spam_signs

SAID = {
    "advertising": "Follow me back nha",
    "bait": "theo dõi kênh mình với",
    "link": "rẻ hơn ở shop-abc.vn nè",
    "money": "việc nhẹ lương cao inbox",
    "praise": "Hay quá bạn ơi!!",
    "emoji": "🔥🔥😍",
    "repeats_words": "đẹp đẹp đẹp đẹp",
    "repeats_characters": "quáaaaaaaa",
    "tags": "@a @b @c #d",
    "shouts": "MUA NGAY HÔM NAY THÔI",
}
HONEST = (
    "chị cho em hỏi son này mua ở đâu ạ",
    "Mình dùng 2 tuần rồi, da đỡ khô hẳn",
    "The lighting at 3:20 is better than in your last one",
    "không thích bản này bằng bản cũ",
    "sản phẩm giá bao nhiêu vậy shop",
    "I will be at the meetup, see you there",
    "ha ha",
)


def signal(*texts: str | None) -> list[float | None]:
    return pl.DataFrame({"text": texts}, {"text": pl.String}).select(spam_signal(pl.col("text")))["spam"].to_list()


@pytest.mark.parametrize("sign", SIGNS)
def test_each_sign_is_seen_alone(sign: str) -> None:
    frame = pl.DataFrame({"text": [SAID[sign]]}).select(**spam_signs(pl.col("text")))
    assert [name for name in SIGNS if frame[name].item()] == [sign]
    assert signal(SAID[sign]) == pytest.approx([SIGNS[sign][0]])


@pytest.mark.parametrize("text", HONEST)
def test_an_honest_comment_has_no_sign(text: str) -> None:
    assert signal(text) == [0.0]


def test_signs_add_up_and_never_pass_one() -> None:
    [one, two, all_] = signal("hay quá", "HAY QUÁ www.x.vn", " ".join(SAID.values()))
    assert 0 < (one or 0) < (two or 0) < (all_ or 0) <= 1


def test_praise_alone_stays_below_one_half() -> None:
    assert signal("Nice!", "tuyệt vời", "Wow", "So good 😍") == pytest.approx([SIGNS["praise"][0]] * 4)


def test_no_text_has_no_signal_and_an_empty_one_no_sign() -> None:
    assert signal(None, "", "  ") == [None, 0.0, 0.0]
    assert pl.DataFrame({"text": ["x"]}).select(spam_signal(pl.col("text")))["spam"].dtype == pl.Float32
