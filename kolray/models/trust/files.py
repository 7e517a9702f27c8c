"""A trust model as named files in open formats: XGBoost's own, npz and JSON. Loading one runs no code."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from kolray.models.trust.additive import Additive
from kolray.models.trust.calibration import Calibrator
from kolray.models.trust.members import Boosters, IsolationForest
from kolray.models.trust.model import Seen, TrustModel
from kolray.models.trust.share import FakeShare
from kolray.models.trust.stack import Stack
from kolray.models.trust.trees import Trees

ABOUT, ARRAYS = "trust.json", "arrays.npz"
SHARE = "fake_share"


def to_files(model: TrustModel) -> dict[str, bytes]:
    """File name → content; ``load`` reads it."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **_arrays(model))
    return {ABOUT: json.dumps(_about(model)).encode(), ARRAYS: packed.getvalue(), **_boosters(model)}


def digest(model: TrustModel) -> str:
    """A hash of the content: equal models have equal digests."""
    parts = [json.dumps(_about(model)).encode()]
    for files in (_boosters(model), {name: value.tobytes() for name, value in _arrays(model).items()}):
        parts += [part for name in sorted(files) for part in (name.encode(), files[name])]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def load(folder: Path) -> TrustModel:
    """From a folder holding what ``to_files`` gave."""
    about = json.loads((folder / ABOUT).read_text())
    with np.load(folder / ARRAYS, allow_pickle=False) as packed:
        arrays = dict(packed)
    members = {name: _member(kind, name, arrays, folder) for name, kind in about["members"].items()}
    stack = _of(arrays, "stack")
    seen = _of(arrays, "seen")
    return TrustModel(
        feature_names=tuple(about["features"]),
        members=members,
        stack=Stack(tuple(members), stack["weights"], stack["centre"], about["intercept"]),
        calibrator=Calibrator(about["calibration"], **_of(arrays, "calibration")),
        seen=Seen(about["typical_known"], seen["low"], seen["high"], _time(about["as_of"])),
        share=_share(arrays, folder),
    )


def _about(model: TrustModel) -> dict[str, Any]:
    at = model.seen.as_of
    return {
        "features": list(model.feature_names),
        "members": {name: type(model.members[name]).__name__ for name in model.stack.names},
        "intercept": model.stack.intercept,
        "calibration": model.calibrator.method,
        "typical_known": model.seen.typical_known,
        "as_of": at.isoformat() if at else None,
    }


def _boosters(model: TrustModel) -> dict[str, bytes]:
    held = dict(model.members) | ({} if model.share is None else {SHARE: model.share.boosters})
    return {
        f"{name}-{k}.ubj": bytes(booster.save_raw("ubj"))
        for name, member in held.items()
        if isinstance(member, Boosters)
        for k, booster in enumerate(member.boosters)
    }


def _arrays(model: TrustModel) -> dict[str, Any]:
    found = {
        **_flat("stack", {"weights": model.stack.weights, "centre": model.stack.centre}),
        **_flat("calibration", {"x": model.calibrator.x, "y": model.calibrator.y}),
        **_flat("seen", {"low": model.seen.low, "high": model.seen.high}),
    }
    if model.share is not None:
        found |= _flat(SHARE, {"edges": model.share.edges, "widen": model.share.widen})
    for name, member in model.members.items():
        if not isinstance(member, Boosters):
            found |= _flat(name, vars(member))
    return found


def _flat(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{prefix}.{name}"
        found |= _flat(key, vars(value)) if is_dataclass(value) else {key: np.asarray(value)}
    return found


def _of(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}


def _member(kind: str, name: str, arrays: Mapping[str, Any], folder: Path) -> Any:
    if kind == Boosters.__name__:
        files = sorted(folder.glob(f"{name}-*.ubj"), key=lambda file: int(file.stem.removeprefix(f"{name}-")))
        return Boosters.of([_booster(file) for file in files])
    held = _of(arrays, name)
    if kind == IsolationForest.__name__:
        return IsolationForest(Trees(**_of(held, "trees")), held["fill"])
    return Additive(**held)


def _share(arrays: Mapping[str, Any], folder: Path) -> FakeShare | None:
    held = _of(arrays, SHARE)
    return FakeShare(_member(Boosters.__name__, SHARE, arrays, folder), **held) if held else None


def _booster(file: Path) -> Any:
    import xgboost as xgb

    booster = xgb.Booster()
    booster.load_model(bytearray(file.read_bytes()))
    return booster


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
