"""PhoBERT's rules of tokenisation, against examples written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolray.errors import NotFoundError
from kolray.models.sentiment.phobert import MAX_LENGTH, TransformerClassifier, segment_words, usual_segment

pytestmark = pytest.mark.heavy
LABELS = [-1, 0, 1]


@pytest.fixture(scope="module")
def model(phobert: Path) -> TransformerClassifier:
    return TransformerClassifier.load(phobert, LABELS)


def pieces(model: TransformerClassifier, text: str) -> list[str]:
    [numbers] = model.encode([text])
    return list(model.tokenizer.convert_ids_to_tokens(numbers))


@pytest.mark.parametrize(
    ("text", "segmented"),
    [
        ("Chúng tôi là những nghiên cứu viên.", "Chúng_tôi là những nghiên_cứu_viên ."),  # from PhoBERT's own README
        ("giảng viên nhiệt tình", "giảng_viên nhiệt_tình"),
        ("sinh viên rất thích môn học", "sinh_viên rất thích môn_học"),
        ("giảng_viên rất vui", "giảng_viên rất vui"),  # segmented already
    ],
)
def test_syllables_of_a_word_are_joined(text: str, segmented: str) -> None:
    assert segment_words(text) == segmented


def test_byte_pairs_are_merged_by_rank_and_end_with_their_word(model: TransformerClassifier) -> None:
    # t+ố, then tố+t</w>; "shop" = s+h and o+p</w>, which no merge joins: the first piece says that more follows
    assert pieces(model, "tốt shop") == ["<s>", "tốt", "sh@@", "op", "</s>"]


def test_a_merge_at_the_end_of_a_word_is_none_within_it(model: TransformerClassifier) -> None:
    assert pieces(model, "tệ tệt") == ["<s>", "tệ", "t@@", "ệ@@", "t", "</s>"]


def test_special_tokens_have_the_numbers_of_fairseq(model: TransformerClassifier) -> None:
    tokenizer = model.tokenizer
    assert [tokenizer.convert_tokens_to_ids(t) for t in ("<s>", "<pad>", "</s>", "<unk>", "tốt")] == [0, 1, 2, 3, 4]
    assert pieces(model, "ẞ") == ["<s>", "<unk>", "</s>"]


def test_a_long_text_is_cut_and_keeps_its_end(model: TransformerClassifier) -> None:
    assert model.max_length == MAX_LENGTH == 256
    [numbers] = model.encode(["tốt " * 400])
    assert len(numbers) == 256
    assert (numbers[0], numbers[1], numbers[-1]) == (0, 4, 2)


def test_shorter_texts_are_padded_and_the_pad_is_masked(model: TransformerClassifier) -> None:
    batch = model.pad(model.encode(["tốt", "tốt tệ hay"]))
    assert batch["input_ids"].tolist()[0] == [0, 4, 2, 1, 1]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]


def test_only_phobert_reads_segmented_words(model: TransformerClassifier, bert: Path) -> None:
    other = TransformerClassifier.load(bert, LABELS)
    assert usual_segment(model.tokenizer) is segment_words
    assert other.segment is None
    [numbers] = other.encode(["shop rất hay ."])
    assert other.tokenizer.convert_ids_to_tokens(numbers) == ["[CLS]", "shop", "rất", "hay", ".", "[SEP]"]


def test_no_such_folder_says_what_to_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(NotFoundError, match="give its folder"):
        TransformerClassifier.load(tmp_path / "none")
