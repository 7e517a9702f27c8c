"""[ray] Prophet's fits as Ray tasks: a few series each, and a task that dies takes no other's along."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import ray

from kolray.local.cluster import join_ray
from kolray.models.metrics import Floats
from kolray.models.success.design import Design
from kolray.models.success.prophet import Prophets, fit_here
from kolray.models.success.series import Panel
from kolray.settings import ModelsSettings

BATCH = 8
"""Series a task: so many fits outweigh the seconds that a new worker needs to import Prophet."""


def prophets_of(settings: ModelsSettings) -> Prophets | None:
    """As many as the settings say, by Ray tasks; none by default."""
    return Prophets(settings.prophet_series, fit_on_ray) if settings.prophet_series else None


@ray.remote(num_cpus=1, max_retries=1)
def _fit(panel: Panel, design: Design, steps: int) -> Floats:
    return fit_here(panel, design, steps)


def fit_on_ray(panel: Panel, design: Design, steps: int) -> Floats:
    """As ``fit_here``, side by side; joins Ray, or starts one. Series of a task that died have NaN."""
    join_ray()
    panel = replace(panel, beside=None)  # Prophet does not look at it, and it holds what is known of all KOLs
    made = np.full((len(panel.ids), steps), np.nan)
    rows = [np.arange(len(made))[first : first + BATCH] for first in range(0, len(made), BATCH)]
    for mine, task in [(mine, _fit.remote(panel.of(mine), design, steps)) for mine in rows]:
        try:
            made[mine] = ray.get(task)
        except ray.exceptions.RayError:
            logging.getLogger(__name__).warning("Prophet's fits of %d series are lost", len(mine), exc_info=True)
    return made
