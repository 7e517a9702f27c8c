"""Prophet's fits as Ray tasks: the same as here, and a task that fails says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kolray.models.success.design import Design
from kolray.models.success.prophet import fit_here
from kolray.models.success.prophet_ray import fit_on_ray
from tests.unit.models.test_backtest import waves

DESIGN = Design(calendar=False)


@pytest.mark.usefixtures("cluster")
def test_tasks_fit_as_this_process_does_and_one_that_fails_says_nothing():
    panel = waves(2, 24 * 4)
    made = fit_on_ray(panel, DESIGN, 6)
    assert np.array_equal(made, fit_here(panel, DESIGN, 6))
    assert np.isnan(fit_on_ray(panel, replace(DESIGN, season=None), 6)).all()
