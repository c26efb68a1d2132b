"""Requests and plans over a whole registry of skills, from phrase banks and signatures."""

from .writer import PlannedWriter

__all__ = ["PlannedWriter"]
