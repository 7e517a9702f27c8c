"""``kolray bench forecast``: what forecasts cost, as a batch of all KOLs and one at a time."""
