"""Run by ``make test-heavy`` in the environment that has PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed here; `make test-heavy` installs it")
torch.set_num_threads(1)  # a twin is too small to share


@pytest.fixture(scope="session")
def phobert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny PhoBERT."""
    from tests.heavy.transformers.twin import phobert_twin

    return phobert_twin(tmp_path_factory.mktemp("hub") / "phobert")


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny multilingual BERT."""
    from tests.heavy.transformers.twin import bert_twin

    return bert_twin(tmp_path_factory.mktemp("hub") / "bert")
