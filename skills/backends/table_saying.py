"""The backends that say, read and measure what a picture shows, the preferred ones first."""

from dataclasses import replace

from .backend import Backend
from .blip2 import load_blip2
from .depth_anything import load_depth_anything
from .florence2 import load_florence2
from .image_text import load_image_text
from .matching import load_matcher
from .ram import check_ram, load_ram, wants_lists
from .single import Single
from .trocr import load_trocr
from .vitpose import load_vitpose

BLIP2 = Backend(
    name="blip2",
    skill="caption",
    note="",
    weights="Salesforce/blip2-opt-2.7b",
    model_types=("blip-2",),
    licence="MIT; its OPT part non-commercial",
    download=15000,
    working=2000,
    load=load_blip2,
    method="caption",
    words=True,
)
FLORENCE2 = Backend(
    name="florence-2",
    skill="caption",
    note="",
    weights="florence-community/Florence-2-base",
    model_types=("florence2",),
    licence="MIT",
    download=930,
    working=2000,
    load=load_florence2,
    method="caption",
    words=True,
)
IMAGE_TEXT = Backend(
    name="image-text",
    skill="caption",
    note="",
    weights="HuggingFaceTB/SmolVLM-500M-Instruct",
    model_types=(),
    licence="Apache-2.0",
    download=1020,
    working=3000,
    load=load_image_text,
    method="caption",
    words=True,
)
SIGLIP = Backend(
    name="siglip",
    skill="tag",
    note="",
    weights="google/siglip2-base-patch16-224",
    model_types=("siglip", "siglip2"),
    licence="Apache-2.0",
    download=1500,
    working=1000,
    load=load_matcher,
    words=True,
)
CLIP = replace(
    SIGLIP,
    name="clip",
    weights="openai/clip-vit-base-patch32",
    model_types=("clip",),
    download=605,
    licence="MIT",
)
SAYING = (
    BLIP2,
    FLORENCE2,
    IMAGE_TEXT,
    replace(BLIP2, skill="ask", method="ask"),
    replace(IMAGE_TEXT, skill="ask", method="ask"),
    SIGLIP,
    CLIP,
    Backend(
        name="ram",
        skill="tag",
        note="Here it knows some 4,600 words by itself; where words is left out, all that fit are "
        "named, and none where none fits.",
        weights="xinyu1205/recognize_anything_model/ram_swin_large_14m.pth",
        model_types=(),
        licence="Apache-2.0",
        download=5630,
        working=2000,
        load=load_ram,
        single=Single(ending=".pth", check=check_ram, wants=wants_lists),
    ),
    replace(SIGLIP, skill="search_images", method="search_images"),
    replace(CLIP, skill="search_images", method="search_images"),
    replace(FLORENCE2, skill="ocr", method="ocr", chosen_only=True),
    Backend(
        name="trocr",
        skill="ocr",
        note="",
        weights="microsoft/trocr-base-printed",
        model_types=("vision-encoder-decoder",),
        licence="MIT",
        download=1330,
        working=1500,
        load=load_trocr,
        words=True,
        chosen_only=True,
    ),
    Backend(
        name="depth-anything",
        skill="depth",
        note="",
        weights="depth-anything/Depth-Anything-V2-Small-hf",
        model_types=("depth_anything",),
        licence="Apache-2.0",
        download=99,
        working=1000,
        load=load_depth_anything,
    ),
    Backend(
        name="vitpose",
        skill="pose",
        note="",
        weights="usyd-community/vitpose-base-simple",
        model_types=("vitpose",),
        licence="Apache-2.0",
        download=345,
        working=1000,
        load=load_vitpose,
        packages=("scipy",),
        extra="pose",
    ),
)
