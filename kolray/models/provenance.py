"""What a registered version was made from: the tags that a past score, or the training itself, is repeated by."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files

import polars as pl

from kolray import features
from kolray.features import FEATURES
from kolray.features.accounts import FEATURES as ACCOUNT_FEATURES

LIBRARIES = ("kolray", "xgboost-cpu", "lightgbm", "prophet", "holidays", "scikit-learn", "scipy", "numpy", "polars")
"""What a model's numbers depend on."""
FEATURE_SCHEMA, DATA_VERSION, SEED, LIBRARY_VERSIONS = "feature_schema", "data_version", "seed", "libraries"
DataVersion = Mapping[str, int | str]
"""Table → Delta version, or ``accounts`` → the hash of a file's rows."""


def provenance(names: Sequence[str], data: DataVersion, seed: int | None) -> dict[str, str]:
    """Tags of a version: the features' schema, the data, the seed and the libraries of this process."""
    return {
        FEATURE_SCHEMA: feature_schema(names),
        DATA_VERSION: json.dumps(dict(data), sort_keys=True),
        SEED: "" if seed is None else str(seed),
        LIBRARY_VERSIONS: json.dumps(libraries()),
    }


def feature_schema(names: Sequence[str]) -> str:
    """A hash of a model's features: names, units, ranges, null rules, and the code that defines them.

    Any edit of ``kolray.features`` is another schema, also one of a comment: better one too many than one unseen.
    """
    defined = {feature.name: feature[:7] for feature in (*ACCOUNT_FEATURES, *FEATURES)}
    parts = [repr(defined.get(name, (name,))) for name in names]
    return hashlib.sha256("\n".join([*parts, _sources()]).encode()).hexdigest()[:16]


def rows_version(rows: pl.DataFrame) -> str:
    """A hash of the content and order of rows and columns, with their types."""
    text = rows.write_csv(null_value="\0")  # Arrow's own bytes also say how a table was put together
    return "sha256:" + hashlib.sha256(f"{rows.schema}{text}".encode()).hexdigest()[:16]


@cache
def libraries() -> dict[str, str]:
    """Name → version, Python's too."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


@cache
def _sources() -> str:
    modules = sorted((file for file in files(features).iterdir() if file.name.endswith(".py")), key=lambda f: f.name)
    return "\n".join(module.read_text() for module in modules)
