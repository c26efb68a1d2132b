"""Checkpoints as the systems' own code wrote them: their configs and weights, read strictly."""

from .loading import config_of_original, is_original, load_original

__all__ = ["config_of_original", "is_original", "load_original"]
