"""On Ray: a trainer whose worker is killed goes on; an actor pool and a deployment answer as the model does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import polars as pl
import psutil
import pytest
import ray
import ray.data
from ray import serve

from kolray.local.ports import choose_port
from kolray.models.sentiment.phobert import TransformerClassifier
from kolray.models.sentiment.phobert_fit import FineTuning
from kolray.models.sentiment.phobert_ray import classify_dataset, fine_tune_on_ray
from kolray.serving.sentiment import app
from tests.heavy.transformers.twin import toy_comments
from tests.ray_head import own_ray

pytestmark = pytest.mark.heavy
TRAIN, DEV = toy_comments(240, seed=1), toy_comments(60, seed=2)
TEXTS = [*toy_comments(40, seed=3)["text"].to_list(), None, ""]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    with own_ray():
        yield


@pytest.fixture(scope="module")
def tuned(phobert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier in a folder, as whoever has the weights has it."""
    folder = tmp_path_factory.mktemp("tuned")
    TransformerClassifier.load(phobert, [-1, 0, 1]).save(folder)
    return folder


def test_training_survives_its_worker_and_gives_the_best_epoch(phobert: Path, tmp_path: Path) -> None:
    how = FineTuning(epochs=12, batch=16, rate=2e-3, patience=12)
    killed: list[int] = []
    killer = threading.Thread(target=_kill_worker_after_a_checkpoint, args=(tmp_path, killed), daemon=True)
    killer.start()
    model, progress = fine_tune_on_ray(str(phobert), TRAIN, DEV, how, str(tmp_path), "twin")
    killer.join()
    assert killed
    assert progress.epoch == 12
    assert max(progress.dev_macro_f1) > 0.8
    assert sum(progress.losses[-3:]) < sum(progress.losses[:3]) / 2
    assert model.classify(pl.Series(["shop tốt", "video tệ"])).to_list() == [1, -1]


def _kill_worker_after_a_checkpoint(storage: Path, killed: list[int]) -> None:
    """As a machine that fails would."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if any(storage.glob("twin/checkpoint*/training.pt")):
            for process in psutil.Process().children(recursive=True):
                if "RayTrainWorker" in process.name() or "RayTrainWorker" in " ".join(process.cmdline()):
                    process.kill()
                    killed.append(process.pid)
                    return
        time.sleep(0.05)


def test_an_actor_pool_answers_as_the_model_does(tuned: Path) -> None:
    frame = pl.DataFrame({"text": TEXTS, "n": range(len(TEXTS))})
    rows = classify_dataset(ray.data.from_arrow(frame.to_arrow()), tuned, batch=16).to_pandas().sort_values("n")
    assert rows["sentiment"].to_list() == TransformerClassifier.load(tuned).classify(frame["text"]).to_list()


def test_a_deployment_answers_as_the_model_does(tuned: Path) -> None:
    port = choose_port("serve")
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    try:
        handle = serve.run(app({"source": str(tuned)}), name="sentiment", route_prefix="/sentiment")
        model = TransformerClassifier.load(tuned)
        expected = model.classify(pl.Series(TEXTS, dtype=pl.String)).to_list()
        answer = httpx.post(f"http://127.0.0.1:{port}/sentiment/", json={"texts": TEXTS}, timeout=60).raise_for_status()
        assert answer.json() == {"sentiment": expected, "model": model.version}
        parts = [handle.classify.remote(TEXTS[i : i + 7]) for i in range(0, len(TEXTS), 7)]
        assert [label for part in parts for label in part.result(timeout_s=60)] == expected
        refused = httpx.post(f"http://127.0.0.1:{port}/sentiment/", json={"texts": ["x"] * 300}, timeout=60)
        assert refused.status_code == 422
    finally:
        serve.shutdown()
