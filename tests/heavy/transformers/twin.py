"""Tiny, randomly initialised twins of PhoBERT and multilingual BERT, as folders with the files of the real ones."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import polars as pl
import torch
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

SAYS = {-1: ["tệ", "dở", "chán"], 0: ["bình_thường", "tạm"], 1: ["tốt", "hay", "tuyệt_vời"]}
SUBJECTS = ["giảng_viên", "bài_tập", "video", "shop"]
MERGES = ["t ố", "tố t</w>", "t ệ</w>", "h a", "ha y</w>", "d ở</w>", "s h", "o p</w>"]
"""In the order of their rank; the third column of ``bpe.codes`` is a count."""
PIECES = ["tốt", "tệ", "hay", "dở", "sh@@", "op", "."]


def phobert_twin(folder: Path, seed: int = 1) -> Path:
    """``config.json, vocab.txt, bpe.codes`` and weights: what the hub holds of PhoBERT, without a classifier's head."""
    folder.mkdir(parents=True)
    letters = sorted(set("".join(itertools.chain(*SAYS.values(), SUBJECTS))))
    pieces = [*PIECES, *(f"{letter}@@" for letter in letters), *letters]
    (folder / "vocab.txt").write_text("".join(f"{piece} {9}\n" for piece in pieces), encoding="utf-8")
    (folder / "bpe.codes").write_text("".join(f"{pair} {9}\n" for pair in MERGES), encoding="utf-8")
    torch.manual_seed(seed)
    config = RobertaConfig(
        vocab_size=len(pieces) + 5, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=258, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        tokenizer_class="PhobertTokenizer",
    )  # fmt: skip
    RobertaModel(config).save_pretrained(folder)
    return folder


def bert_twin(folder: Path, seed: int = 1) -> Path:
    """As multilingual BERT: WordPiece in ``vocab.txt``, and told to keep case and diacritics."""
    folder.mkdir(parents=True)
    words = sorted({word for says in SAYS.values() for word in says} | set(SUBJECTS) | {"rất", "."})
    letters = sorted(set("".join(words)))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters), *words]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(pieces)), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder)
    return folder


def toy_comments(n: int, seed: int) -> pl.DataFrame:
    """Comments that one word tells apart: ``text, label``."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([-1, 0, 1], n)
    texts = [f"{rng.choice(SUBJECTS)} {rng.choice(SAYS[label])}" for label in labels.tolist()]
    return pl.DataFrame({"text": texts, "label": pl.Series(labels, dtype=pl.Int8)})
