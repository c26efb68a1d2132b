"""The backends that packages beyond the base bring: original checkpoints, SAM 2 and YOLO."""

from dataclasses import replace

from .backend import Backend
from .grounding_dino_original import (
    BERT,
    BERT_FILES,
    check_grounding_dino_original,
    load_grounding_dino_original,
)
from .sam2 import load_sam2
from .sam_original import check_sam_original, load_sam_original
from .single import Single
from .yolo import load_yolo
from .yolo_file import check_yolo

_DINO = ("torchvision", "timm", "addict", "yapf", "pycocotools", "matplotlib")
_SAM2 = Backend(
    name="sam2",
    skill="segment",
    note="",
    weights="facebook/sam2.1-hiera-tiny",
    model_types=("sam2", "sam2_video"),
    licence="Apache-2.0",
    download=156,
    working=2000,
    load=load_sam2,
    packages=("torchvision",),
    extra="detectors",
)
_SAM_ORIGINAL = Backend(
    name="sam-original",
    skill="segment",
    note="",
    weights="ybelkada/segment-anything/checkpoints/sam_vit_b_01ec64.pth",
    model_types=(),
    licence="Apache-2.0",
    download=375,
    working=4000,
    load=load_sam_original,
    packages=("torchvision", "segment_anything"),
    extra="detectors",
    single=Single(ending=".pth", check=check_sam_original),
)
_MODES = ("choices", "levels", "everything")

EXTRAS = (
    Backend(
        name="grounding-dino-original",
        skill="detect",
        note="Here it finds whatever a short English phrase names, too.",
        weights="ShilongLiu/GroundingDINO/groundingdino_swint_ogc.pth",
        model_types=(),
        licence="Apache-2.0",
        download=694,
        working=2000,
        load=load_grounding_dino_original,
        packages=(*_DINO, "groundingdino"),
        extra="detectors",
        single=Single(
            ending=".pth",
            check=check_grounding_dino_original,
            companions=("*.cfg.py",),
            beside=((BERT, BERT_FILES),),
        ),
    ),
    Backend(
        name="yolo",
        skill="detect",
        note="Here it finds the things that its YOLO model was trained on, by their names, too.",
        weights="Ultralytics/YOLO11/yolo11n.pt",
        model_types=(),
        licence="AGPL-3.0",
        download=6,
        working=500,
        load=load_yolo,
        packages=("torchvision", "polars", "psutil", "requests", "matplotlib", "ultralytics"),
        extra="yolo",
        single=Single(ending=".pt", check=check_yolo),
        chosen_only=True,
    ),
    _SAM2,
    _SAM_ORIGINAL,
    *(
        replace(sam, skill=f"segment_{mode}", method=mode)
        for sam in (_SAM2, _SAM_ORIGINAL)
        for mode in _MODES
    ),
)
