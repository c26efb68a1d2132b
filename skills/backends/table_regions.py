"""The backends that find and outline things, the preferred ones of a skill first."""

from .backend import Backend
from .grounding_dino import load_grounding_dino
from .owlv2 import load_owlv2
from .sam import load_sam

_ANYTHING = "Here it finds whatever a short English phrase names, too."

REGIONS = (
    Backend(
        name="grounding-dino",
        skill="detect",
        note=_ANYTHING,
        weights="IDEA-Research/grounding-dino-tiny",
        model_types=("grounding-dino",),
        licence="Apache-2.0",
        download=690,
        working=2000,
        load=load_grounding_dino,
        words=True,
    ),
    Backend(
        name="owlv2",
        skill="detect",
        note=_ANYTHING,
        weights="google/owlv2-base-patch16-ensemble",
        model_types=("owlv2",),
        licence="Apache-2.0",
        download=620,
        working=2000,
        load=load_owlv2,
        words=True,
        packages=("scipy",),
        extra="owlv2",
    ),
    Backend(
        name="sam",
        skill="segment",
        note="",
        weights="facebook/sam-vit-base",
        model_types=("sam",),
        licence="Apache-2.0",
        download=375,
        working=4000,
        load=load_sam,
    ),
)
