"""Skills: what they speak, how they are declared, found and run."""

from .calls import Call, Observation
from .decorator import skill
from .following import followed
from .images import IMAGE_SUFFIXES, load_image
from .installed import LoadedSkills, load_skills
from .journal import Ended, Journal
from .original import with_original_names
from .pixels import Image
from .progress import tell_progress
from .regions import Boxes, Masks, Region, TextLines, region_boxes, region_mask
from .registry import (
    SkillRegistry,
    catalog_markdown,
    catalog_page,
    default_registry,
    model_registry,
)
from .result_cache import ResultCache
from .runtime import Runtime
from .spec import Parameter, SkillSpec
from .starter import write_skill
from .store import Artifact, Artifacts, ArtifactStore
from .values import Number, Points, Table, Tags, Text, Value, value_from_json, value_to_json
from .workers import WorkerPool

__all__ = [
    "IMAGE_SUFFIXES",
    "Artifact",
    "ArtifactStore",
    "Artifacts",
    "Boxes",
    "Call",
    "Ended",
    "Image",
    "Journal",
    "LoadedSkills",
    "Masks",
    "Number",
    "Observation",
    "Parameter",
    "Points",
    "Region",
    "ResultCache",
    "Runtime",
    "SkillRegistry",
    "SkillSpec",
    "Table",
    "Tags",
    "Text",
    "TextLines",
    "Value",
    "WorkerPool",
    "catalog_markdown",
    "catalog_page",
    "default_registry",
    "followed",
    "load_image",
    "load_skills",
    "model_registry",
    "region_boxes",
    "region_mask",
    "skill",
    "tell_progress",
    "value_from_json",
    "value_to_json",
    "with_original_names",
    "write_skill",
]
