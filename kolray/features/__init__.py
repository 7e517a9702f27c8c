"""ONE definition of every feature and window metric, used by stream, lake, training and serving."""

from kolray.features.compute import FEATURE_NAMES, FEATURE_SCHEMA, FEATURES, compute_features
from kolray.features.feature import Feature

__all__ = ["FEATURES", "FEATURE_NAMES", "FEATURE_SCHEMA", "Feature", "compute_features"]
