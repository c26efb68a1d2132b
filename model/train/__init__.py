"""Training of the systems of the lineage, from recipes, on transformers' Trainer."""

from .reading import read_recipe
from .recipe import Begin, Lora, Recipe, Source, Stage

__all__ = ["Begin", "Lora", "Recipe", "Source", "Stage", "read_recipe"]
