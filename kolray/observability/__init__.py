"""What is measured, how it is watched: metric names, alert rules, dashboards, logs and traces. No Ray, no servers."""
