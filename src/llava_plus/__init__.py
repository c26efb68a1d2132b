"""LLaVA-Plus: a multimodal assistant that plans with an LMM and acts with skills."""

__version__ = "0.1.0"
