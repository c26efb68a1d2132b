"""The backends that find and outline things, the preferred ones of a skill first."""

from dataclasses import replace

from .backend import Backend
from .grounding_dino import load_grounding_dino
from .owlv2 import load_owlv2
from .sam import load_sam
from .scenes import load_mask2former, load_oneformer, load_segformer

_ANYTHING = "Here it finds whatever a short English phrase names, too."

_SAM = Backend(
    name="sam",
    skill="segment",
    note="",
    weights="facebook/sam-vit-base",
    model_types=("sam",),
    licence="Apache-2.0",
    download=375,
    working=4000,
    load=load_sam,
)
_SCENES = Backend(
    name="mask2former",
    skill="segment_scene",
    note="",
    weights="facebook/mask2former-swin-tiny-ade-semantic",
    model_types=("mask2former",),
    licence="MIT (of its code; the hub's card names none)",
    download=190,
    working=2000,
    load=load_mask2former,
    packages=("scipy",),
    extra="scenes",
)

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
    _SAM,
    replace(_SAM, skill="segment_choices", method="choices"),
    replace(_SAM, skill="segment_levels", method="levels"),
    replace(_SAM, skill="segment_everything", method="everything"),
    replace(_SAM, skill="segment_alike", method="alike"),
    _SCENES,
    replace(
        _SCENES,
        name="segformer",
        weights="nvidia/segformer-b0-finetuned-ade-512-512",
        model_types=("segformer",),
        licence="NVIDIA Source Code License, not for commerce",
        download=15,
        load=load_segformer,
        packages=(),
        extra="",
    ),
    replace(
        _SCENES,
        name="oneformer",
        weights="shi-labs/oneformer_ade20k_swin_tiny",
        model_types=("oneformer",),
        licence="MIT",
        download=200,
        load=load_oneformer,
        words=True,
    ),
)
