"""The model card of a trust version: for what, from what, how good, what its limits are, how to contest it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from kolray.models.provenance import DATA_VERSION, LIBRARY_VERSIONS

CARD = "card.md"
PURPOSE = {
    "trust": "How likely the audience of a KOL is bought or fake, as a calibrated probability, from what platforms and "
    "pages report of it. It is meant to start a look at an account, never to end one.",
    "trust-accounts": "How likely an account is fake, as a calibrated probability, from one row of its profile. It is "
    "meant to start a look at an account, never to end one.",
}


def model_card(
    name: str,
    version: int,
    report: Mapping[str, Any],
    tags: Mapping[str, str],
    n_features: int,
    ablation: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Markdown. ``report`` as ``TrustReport.to_dict``; ``tags`` of the version; ``ablation`` as ``ablate`` gives."""
    return _template().render(
        name=name,
        version=version,
        digest=tags["digest"],
        purpose=PURPOSE[name],
        report=report,
        tags=tags,
        data=json.loads(tags[DATA_VERSION]),
        libraries=json.loads(tags[LIBRARY_VERSIONS]),
        features=n_features,
        parameters=", ".join(f"{key} {value:.4g}" for key, value in report["params"].items()) or "the defaults",
        ablation=ablation,
    )


@cache
def _template() -> Template:
    cards = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701  Markdown
    cards.globals.update(
        number=lambda value: f"{value:.4f}",
        signed=lambda value: f"{value:+.4f}",
        percent=lambda value: f"{100 * value:.1f} %",
    )
    return cards.from_string(files("kolray.models").joinpath("card.md.jinja").read_text())
