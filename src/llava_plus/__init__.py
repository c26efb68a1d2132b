"""LLaVA-Plus: a multimodal assistant that plans with an LMM and acts with skills."""

from . import torchvision_cpu

__version__ = "0.1.0"

torchvision_cpu.install()  # an extra may bring a torchvision that would break transformers
