"""The model card of a version: for what, from what, how good, what its limits are, how to contest it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from kolray.models.provenance import DATA_VERSION, LIBRARY_VERSIONS

CARD = "card.md"
PURPOSE = {
    "trust": "How likely the audience of a KOL is bought or fake, as a calibrated probability, from what platforms and "
    "pages report of it. It is meant to start a look at an account, never to end one.",
    "trust-accounts": "How likely an account is fake, as a calibrated probability, from one row of its profile. It is "
    "meant to start a look at an account, never to end one.",
    "success": "What the next 1 to 24 hours bring a KOL, hour by hour and metric by metric, with intervals that hold "
    "90 % of all hours. It is meant to plan with, not to pay by.",
}
SHOWN = (1, 6, 12, 18, 24)
"""Hours ahead that a card has figures of; the plots have all."""


def model_card(
    name: str,
    version: int,
    report: Mapping[str, Any],
    tags: Mapping[str, str],
    n_features: int,
    ablation: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Markdown. ``report`` as its ``to_dict`` gives; ``tags`` of the version; ``ablation`` as ``ablate`` gives."""
    by_metric = report.get("by_metric", {})
    return (
        _templates()
        .get_template(f"card_{'success' if by_metric else 'trust'}.md.jinja")
        .render(
            name=name,
            version=version,
            digest=tags["digest"],
            purpose=PURPOSE[name],
            report=report,
            tags=tags,
            data=json.loads(tags[DATA_VERSION]),
            libraries=json.loads(tags[LIBRARY_VERSIONS]),
            features=n_features,
            parameters=", ".join(f"{key} {_short(value)}" for key, value in report["params"].items()) or "the defaults",
            ablation=ablation,
            shown=SHOWN,
            members=list(dict.fromkeys(member for own in by_metric.values() for member in own["weights"])),
        )
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


@cache
def _templates() -> Environment:
    cards = Environment(
        loader=FunctionLoader(lambda name: files("kolray.models").joinpath(name).read_text()),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  Markdown
        keep_trailing_newline=True,
    )
    cards.globals.update(
        number=lambda value: f"{value:.4f}",
        short=lambda value: f"{value:.1f}",
        signed=lambda value: f"{value:+.4f}",
        percent=lambda value: f"{100 * value:.1f} %",
    )
    return cards
