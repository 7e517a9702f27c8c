"""The ablation table of a registered trust version: from the data, seed and parameters that it was trained with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from kolray.errors import InvalidInputError, NotFoundError
from kolray.lake.reference import current
from kolray.lake.tables import Root
from kolray.models.lifecycle import newest_features, write_card
from kolray.models.provenance import DATA_VERSION, SEED
from kolray.models.registry import CHALLENGER, ModelRegistry
from kolray.models.trust.ablation import ablate

FILE = "ablation.json"


def ablate_version(
    registry: ModelRegistry,
    lake_root: Root,
    version: int | None = None,
    on_part: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Logs ``ablation.json`` and the card with it to the version's run (default: the newest).

    Returns:
        the whole model's figures, and ``Without`` rows as dictionaries.

    Raises:
        NotFoundError: no such version, or the lake no longer holds what it was trained on.
        InvalidInputError: it did not note that.
    """
    version = version if version is not None else registry.alias_version("trust", CHALLENGER)
    if version is None:
        raise NotFoundError("no trust model to take apart: train one with `kolray models train trust`")
    tags, report = registry.tags("trust", version), registry.report("trust", version)
    held = json.loads(tags.get(DATA_VERSION, "{}"))
    if not held or not tags.get(SEED):
        raise InvalidInputError(f"trust:{version} did not note what it was trained on: train it anew")
    features = newest_features(lake_root, held["gold.features"])
    labels = current(lake_root, "labels", version=held["ref.labels"])
    whole, rows = ablate(features, labels, int(tags[SEED]), report["params"], on_part)
    told = [row.to_dict() for row in rows]
    registry.attach("trust", version, {FILE: json.dumps(told)})
    write_card(registry, "trust", version, report, len(whole.model.feature_names), told)
    return whole.report.test, told
