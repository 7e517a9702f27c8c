"""Sentiment of comments: Vietnamese with and without diacritics, and English."""

from kolray.models.sentiment.kept import KeptClassifiers, current_classifier, kept_classifiers
from kolray.models.sentiment.linear import LinearClassifier, default_classifier

__all__ = ["KeptClassifiers", "LinearClassifier", "current_classifier", "default_classifier", "kept_classifiers"]
