"""``kolray observe export``: what streams, jobs, the lake, polls and the night left, as Prometheus metrics."""
