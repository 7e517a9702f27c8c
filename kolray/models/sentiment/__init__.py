"""Sentiment of comments: Vietnamese with and without diacritics, and English."""

from kolray.models.sentiment.linear import LinearClassifier, default_classifier

__all__ = ["LinearClassifier", "default_classifier"]
