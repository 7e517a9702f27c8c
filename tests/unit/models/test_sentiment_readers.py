"""The classifier that learns from a labelled file: its spelling, its members, its decision, and the whole."""

from __future__ import annotations

import pickle

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolray.models.sentiment import convnet_fit
from kolray.models.sentiment.convnet import FILTERS, WINDOWS, ConvNet, lay, number_words
from kolray.models.sentiment.corpus import make_corpus
from kolray.models.sentiment.decide import decide
from kolray.models.sentiment.fit import fit_model
from kolray.models.sentiment.model import Decision, SentimentModel
from kolray.models.sentiment.ngrams import strip_diacritics
from kolray.models.sentiment.spelling import Spelled, folded, lowered
from kolray.models.sentiment.terms import count_grams, fit_terms


def spelled(*texts: str | None) -> Spelled:
    return Spelled.of(lowered(pl.Series(texts, dtype=pl.String)))


@pytest.fixture(scope="module")
def small() -> SentimentModel:
    """Trained on 240 generated comments, with networks that learn for a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convnet_fit, "STEPS", 60)
        patch.setattr(convnet_fit, "EPOCHS", 8)
        return fit_model(make_corpus(240, seed=3), seed=7)


def test_words_and_signs_stand_apart_and_equal_words_have_equal_hashes() -> None:
    one = spelled("Đẹp quá!!", "  quá   ĐẸP", None, "...")
    assert one.n_words.tolist() == [4, 2, 0, 3]
    assert one.words[0] == one.words[5]
    assert one.words[1] == one.words[4]
    assert one.words[2] == one.words[3]
    assert len(set(one.words.tolist())) == 4
    assert "".join(map(chr, one.codes)) == " đẹp quá ! !  quá đẹp    . . . "


def test_words_that_differ_in_order_or_ending_have_other_hashes() -> None:
    words = spelled("ab ba a aa aaa b à").words.tolist()
    assert len(set(words)) == 7


@settings(max_examples=15)
@given(st.lists(st.one_of(st.none(), st.text(max_size=30)), min_size=1, max_size=8))
def test_n_grams_of_a_text_do_not_depend_on_its_neighbours(texts: list[str | None]) -> None:
    together = count_grams(spelled(*texts))
    for place, text in enumerate(texts):
        assert (together[place] != count_grams(spelled(text))[0]).nnz == 0


def test_whoever_is_named_reads_alike() -> None:
    said = lowered(pl.Series(["@anna xem https://a.vn/x?y=1 nhé", "@Bình_2 xem WWW.b.com nhé"]))
    assert Spelled.of(said).words.reshape(2, -1).tolist()[0] == Spelled.of(said).words.reshape(2, -1).tolist()[1]


def test_folded_texts_have_no_marks() -> None:
    assert folded(lowered(pl.Series(["ĐẸP Quá"]))).to_list() == ["dep qua"]


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2]])
def test_terms_learn_two_labels_and_three(labels: list[int]) -> None:
    says = ["tệ quá", "hay thật", "giá bao nhiêu"]
    texts = spelled(*(f"{says[label]} {i}" for i in range(20) for label in labels))
    truth = np.array(labels * 20)
    terms = fit_terms(count_grams(texts), truth)
    assert terms.logits(texts).argmax(axis=1).tolist() == truth.tolist()
    assert terms.logits(spelled("", None)).shape == (2, len(labels))


def test_laid_texts_are_followed_by_pads() -> None:
    laid = lay(np.array([5, 6, 7, 8]), np.array([1, 0, 3]), np.array([2, 1]))
    assert laid.words.tolist() == [6, 7, 8, 0, 0, 0, 0, 0, 0, 0]
    assert laid.places.tolist() == [0, 1, 2, 6]
    assert laid.first.tolist() == [0, 3]


def test_a_gradient_is_the_slope_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DROP_WORD", "DROP_VALUE", "DROP_FILTER"):
        monkeypatch.setattr(convnet_fit, name, 0.0)
    texts, labels = spelled("a b c a", "c b", "a"), np.array([0, 1, 2])
    vocabulary = np.unique(texts.words)
    net = convnet_fit._start(vocabulary, 3, np.random.default_rng(1))
    moved: dict[str, np.ndarray] = {}
    learner = convnet_fit._Learner(net, np.random.default_rng(2))
    monkeypatch.setattr(learner, "_move", lambda name, gradient, rate: moved.__setitem__(name, gradient))
    rows = np.arange(3)
    learner.learn(lay(number_words(texts.words, vocabulary), texts.n_words, rows), labels, 0.0)
    for name, place in (("filters", (3, 70)), ("filters", (0, FILTERS)), ("thresholds", (5,)), ("top", (9, 1))):
        slope = (_loss(net, texts, labels, name, place, 1e-2) - _loss(net, texts, labels, name, place, -1e-2)) / 2e-2
        assert moved[name][place] == pytest.approx(slope, abs=2e-3)
    assert sum(WINDOWS) * FILTERS == net.filters.shape[1]


def _loss(net: ConvNet, texts: Spelled, labels: np.ndarray, name: str, place: tuple[int, ...], by: float) -> float:
    parameter = getattr(net, name)
    held = parameter[place]
    parameter[place] = held + by
    logits = net.logits(texts).astype(np.float64)
    parameter[place] = held
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    target = np.full_like(logs, float(convnet_fit.SMOOTHING) / 3)
    target[np.arange(3), labels] += 1 - float(convnet_fit.SMOOTHING)
    return float(-(target * logs).sum(axis=1).mean())


def test_a_rare_label_is_favoured_where_that_pays() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [500, 40, 500])
    truth = np.eye(3)[labels]
    noisy = 0.3 * truth + rng.dirichlet((4, 1, 4), len(labels)) * 0.7
    decision = decide({(False, False): noisy.astype(np.float32)}, labels)
    assert decision.factors[1] > 1
    assert decision.nets == 0
    even = decide({(False, False): truth.astype(np.float32)}, labels)
    assert even.factors == (1.0, 1.0, 1.0)


def test_the_better_member_is_heard() -> None:
    labels = np.tile([0, 1], 200)
    good, bad = np.eye(2, dtype=np.float32)[labels], np.eye(2, dtype=np.float32)[1 - labels]
    assert decide({(False, False): bad, (False, True): good}, labels).nets > 0.5
    assert decide({(False, False): good, (False, True): bad}, labels).nets < 0.5


def test_odds_are_the_weighted_mean_times_the_factors() -> None:
    decision = Decision(nets=0.25, plain=0.5, factors=(1.0, 3.0))
    members = {
        (True, False): [0.8, 0.2],
        (True, True): [0.4, 0.6],
        (False, False): [0.8, 0.2],
        (False, True): [0.4, 0.6],
    }
    odds = decision.odds({key: np.array([value], np.float32) for key, value in members.items()})
    np.testing.assert_allclose(odds, [[0.7 / 1.6, 0.9 / 1.6]], rtol=1e-6)


def test_generated_comments_are_learnt_with_and_without_diacritics(small: SentimentModel) -> None:
    unseen = make_corpus(400, seed=99)
    assert (small.classify(unseen["text"]) == unseen["label"]).mean() > 0.65
    assert (small.classify(strip_diacritics(unseen["text"])) == unseen["label"]).mean() > 0.6
    assert small.classify(pl.Series([None, "", "  "], dtype=pl.String)).to_list() == [0, 0, 0]


def test_a_model_is_kept_exactly(small: SentimentModel, tmp_path) -> None:
    texts = make_corpus(50, seed=5)["text"]
    (tmp_path / "sentiment.npz").write_bytes(small.to_files()["sentiment.npz"])
    for other in (SentimentModel.load(tmp_path), pickle.loads(pickle.dumps(small))):  # noqa: S301
        assert other.version == small.version
        np.testing.assert_array_equal(other.probabilities(texts), small.probabilities(texts))


def test_texts_without_marks_need_no_second_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kolray.models.sentiment.fit.MAX_WORDS", 0)
    english = make_corpus(300, seed=4).filter(pl.col("lang") == "en", pl.col("label") != 0)
    model = fit_model(english, seed=7)
    assert model.marked is None
    assert model.bare.nets == ()
    assert model.labels == (-1, 1)
    assert (model.classify(english["text"]) == english["label"]).mean() > 0.9
    assert fit_model(english, seed=7).version == model.version


def test_labels_with_too_few_texts_are_learnt_all_the_same() -> None:
    frame = pl.DataFrame({"text": ["hay quá", "tệ quá", "hay", "tệ thật"], "label": [1, -1, 1, -1]})
    assert fit_model(frame, seed=7).classify(frame["text"]).to_list() == [1, -1, 1, -1]
