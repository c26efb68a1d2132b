"""The backends that make and change pictures."""

from .backend import Backend
from .diffusion import BASE, load_controlled, load_editor, load_generator, load_inpainter

_PACKAGES = ("diffusers",)
_OPENRAIL = "CreativeML OpenRAIL-M"

MAKING = (
    Backend(
        name="stable-diffusion",
        skill="generate",
        note="",
        weights=BASE,
        model_types=("StableDiffusionPipeline", "StableDiffusionXLPipeline"),
        licence=_OPENRAIL,
        download=5480,
        working=3000,
        load=load_generator,
        method="generate",
        packages=_PACKAGES,
        extra="generation",
    ),
    Backend(
        name="instruct-pix2pix",
        skill="edit",
        note="",
        weights="timbrooks/instruct-pix2pix",
        model_types=("StableDiffusionInstructPix2PixPipeline",),
        licence="MIT",
        download=5480,
        working=3500,
        load=load_editor,
        method="edit",
        packages=_PACKAGES,
        extra="generation",
    ),
    Backend(
        name="stable-diffusion-inpainting",
        skill="inpaint",
        note="",
        weights="stable-diffusion-v1-5/stable-diffusion-inpainting",
        model_types=("StableDiffusionInpaintPipeline", "StableDiffusionXLInpaintPipeline"),
        licence=_OPENRAIL,
        download=5480,
        working=3000,
        load=load_inpainter,
        method="inpaint",
        packages=_PACKAGES,
        extra="generation",
    ),
    Backend(
        name="controlnet",
        skill="redraw",
        note="The parts must bear labels of ADE20K.",
        weights="lllyasviel/sd-controlnet-seg",
        model_types=("ControlNetModel", "StableDiffusionControlNetPipeline"),
        licence=_OPENRAIL,
        download=1450,
        working=9000,
        load=load_controlled,
        method="redraw",
        beside=(BASE,),
        packages=_PACKAGES,
        extra="generation",
    ),
)
