"""The dashboard for marketing analysts: pages, charts and the protocol of the data they show."""

from kolray.serving.dashboard.data import DashboardData

__all__ = ["DashboardData"]
