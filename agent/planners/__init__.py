"""Planners that run a model; each is imported where it is loaded."""
