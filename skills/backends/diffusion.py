"""Pictures by diffusion models (Rombach et al. 2022, arXiv 2112.10752), as diffusers has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFilter

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Image, Masks, Region, region_mask, tell_progress
from llava_plus.skills.builtin.areas import parts_of
from llava_plus.skills.classes import DEVICE
from llava_plus.skills.outcome import Failed
from llava_plus.skills.workers import GIVEN_UP

from .checkpoint import is_out_of_memory
from .finds import check_picture
from .pipelines import is_pipeline, part_weights
from .precision import kept_precision
from .weights import find_weights

BASE = "stable-diffusion-v1-5/stable-diffusion-v1-5"
STEPS = 25  # of denoising; the original took 20 to 30
SHAPES = {"square": (1.0, 1.0), "wide": (1.25, 0.75), "tall": (0.75, 1.25)}  # of the native side
GRAIN = 64  # sides are multiples of it, in pixels, wherever the model's own side is that large
SOFT = 0.01  # of the longer side: how far what is painted fades into what stays


def load_generator(folder: Path, device: str) -> Painter:
    """Load a pipeline that makes pictures from words."""
    from diffusers import DiffusionPipeline

    return Painter(_loaded(folder, device, DiffusionPipeline))


def load_editor(folder: Path, device: str) -> Painter:
    """Load InstructPix2Pix (Brooks et al. 2022, arXiv 2211.09800)."""
    from diffusers import StableDiffusionInstructPix2PixPipeline

    return Painter(_loaded(folder, device, StableDiffusionInstructPix2PixPipeline))


def load_inpainter(folder: Path, device: str) -> Painter:
    """Load a pipeline that paints over a mask."""
    from diffusers import DiffusionPipeline

    return Painter(_loaded(folder, device, DiffusionPipeline))


def load_controlled(folder: Path, device: str) -> Painter:
    """Load a ControlNet (Zhang et al. 2023, arXiv 2302.05543): a pipeline, or beside `BASE`."""
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

    if is_pipeline(folder):
        return Painter(_loaded(folder, device, StableDiffusionControlNetPipeline))
    base = find_weights(BASE)
    if base is None:
        raise SetupError(f"{BASE} is not on this machine. Run: llava-plus skills pull controlnet")
    network = _read(folder, device, ControlNetModel)
    _check_whole(network, folder)
    return Painter(_loaded(base, device, StableDiffusionControlNetPipeline, controlnet=network))


class Painter:
    """Makes and changes pictures; the same seed gives the same picture on the same machine.

    Each step of denoising is told as progress, and ends the work where nobody waits any more.

    Args:
        pipe: A pipeline of diffusers.
    """

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        pipe.set_progress_bar_config(disable=True)

    def generate(
        self, prompt: str, *, avoid: str = "", shape: str = "square", seed: int = 0
    ) -> Image:
        """Make a picture from words; its sides are those the model was trained for, about."""
        side = self._side()
        wide, high = (_rounded(side * share, side) for share in SHAPES[shape])
        more = {"negative_prompt": avoid} if avoid.strip() else {}
        self._check_words("generate", avoid, empty=True)
        made = self._paint("generate", prompt, seed, width=wide, height=high, **more)
        return Image.from_pil(made)

    def edit(
        self, image: Image, instruction: str, *, faithfulness: float = 1.5, seed: int = 0
    ) -> Image:
        """Change a picture; it is worked on at the model's own size and comes back at its own."""
        small = self._fitted("edit", image)
        made = self._paint(
            "edit", instruction, seed, image=small, image_guidance_scale=faithfulness
        )
        return Image.from_pil(made.resize((image.width, image.height), Pillow.Resampling.LANCZOS))

    def inpaint(self, image: Image, region: Region, prompt: str, *, seed: int = 0) -> Image:
        """Paint over a region; outside it, but for a soft edge, every pixel stays."""
        small = self._fitted("inpaint", image)
        region = parts_of("inpaint", region)
        mask = Pillow.fromarray(region_mask(region, image.width, image.height))
        made = self._paint(
            "inpaint",
            prompt,
            seed,
            image=small,
            mask_image=mask.convert("L").resize(small.size),
            width=small.width,
            height=small.height,
        ).resize((image.width, image.height), Pillow.Resampling.LANCZOS)
        soft = mask.convert("L").filter(
            ImageFilter.GaussianBlur(SOFT * max(image.width, image.height))
        )
        share = np.asarray(soft, np.float32)[..., None] / 255  # (height, width, 1)
        mixed = image.rgb() * (1 - share) + np.asarray(made.convert("RGB")) * share
        return Image(np.round(mixed).astype(np.uint8))

    def redraw(self, layout: Masks, prompt: str, *, seed: int = 0) -> Image:
        """Make a picture whose parts lie as labelled masks do, in the colours of ADE20K."""
        if not len(layout):
            raise SkillError("redraw: the layout has no parts. Divide a picture into parts first.")
        colours = palette_of(layout.labels)
        masks = layout.to_array()
        drawn = np.zeros((*masks.shape[1:], 3), np.uint8)
        for mask, colour in zip(masks, colours, strict=True):
            drawn[mask] = colour
        small = self._fitted("redraw", Image(drawn), Pillow.Resampling.NEAREST)
        made = self._paint("redraw", prompt, seed, image=small)
        size = (drawn.shape[1], drawn.shape[0])
        return Image.from_pil(made.resize(size, Pillow.Resampling.LANCZOS))

    def _paint(self, skill: str, prompt: str, seed: int, **more: Any) -> Pillow.Image:
        import torch

        self._check_words(skill, prompt)
        given_up = GIVEN_UP.get(None)

        def step(pipe: Any, index: int, time: Any, kept: dict[str, Any]) -> dict[str, Any]:
            if given_up is not None and given_up.is_set():
                raise Failed("cancelled", f"{skill} was cancelled.")
            tell_progress(index + 1, STEPS)
            return kept

        tell_progress(0, STEPS)
        with torch.inference_mode():
            made = self._pipe(
                prompt,
                num_inference_steps=STEPS,
                generator=torch.Generator("cpu").manual_seed(seed),
                callback_on_step_end=step,
                **more,
            )
        if any(getattr(made, "nsfw_content_detected", None) or ()):
            raise SkillError(
                f"{skill}: the model's own filter took the picture for unsafe and held it back. "
                "Ask for something else, or try another seed."
            )
        picture: Pillow.Image = made.images[0]
        return picture

    def _check_words(self, skill: str, text: str, *, empty: bool = False) -> None:
        if not text.strip() and not empty:
            raise SkillError(f"{skill}: the words are empty. Say what the picture is to show.")
        tokenizer = getattr(self._pipe, "tokenizer", None)
        most = getattr(tokenizer, "model_max_length", math.inf)
        if tokenizer is None or len(ids := tokenizer(text, truncation=False).input_ids) <= most:
            return
        raise SkillError(
            f"{skill}: the words take {len(ids)} tokens, and the model reads {most}, about "
            f"{most * 3 // 4} words. Say it shorter."
        )

    def _side(self) -> int:
        """Return the side, in pixels, of the square pictures that the model was trained on."""
        size, scale = self._pipe.unet.config.sample_size, int(self._pipe.vae_scale_factor)
        return int(size if isinstance(size, int) else max(size)) * scale

    def _fitted(
        self,
        skill: str,
        image: Image,
        sampling: Pillow.Resampling = Pillow.Resampling.LANCZOS,
    ) -> Pillow.Image:
        """Return a picture at about the model's own area, its sides multiples of the grain."""
        check_picture(skill, image)
        side = self._side()
        scale = side / (image.width * image.height) ** 0.5
        size = (_rounded(image.width * scale, side), _rounded(image.height * scale, side))
        return Pillow.fromarray(image.rgb()).resize(size, sampling)


def palette_of(labels: Sequence[str]) -> list[tuple[int, int, int]]:
    """Return the colour of each label in ADE20K (Zhou et al. 2017); unknown ones are an error.

    A label may name several things with commas between them, the first known one counts.
    """
    known = _ade20k()
    colours = []
    for label in labels:
        words = [word.strip().lower() for word in label.split(",")]
        found = next((known[word] for word in words if word in known), None)
        if found is None:
            raise SkillError(
                f"redraw: {label!r} is none of the 150 classes of ADE20K, which the model knows. "
                "Divide the picture with a model that was trained on ADE20K."
            )
        colours.append(found)
    if not labels:
        raise SkillError("redraw: the parts have no labels. Divide a picture into labelled parts.")
    return colours


@cache
def _ade20k() -> Mapping[str, tuple[int, int, int]]:
    text = files(__package__).joinpath("ade20k.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {name: (int(r), int(g), int(b)) for name, r, g, b in rows}


def _rounded(length: float, side: int) -> int:
    """Return a length in pixels as a multiple of the grain; of small models, of an eighth."""
    grain = min(GRAIN, max(8, side // 8))
    return max(grain, round(length / grain) * grain)


def _loaded(folder: Path, device: str, kind: Any, **parts: Any) -> Any:
    """Return a pipeline on its device."""
    pipe = _read(folder, device, kind, **parts)
    for name, part in pipe.components.items():
        if (folder / name).is_dir() and name not in parts:
            _check_whole(part, folder / name)
    try:
        return pipe.to(device)
    except (RuntimeError, AssertionError) as error:
        if is_out_of_memory(error):
            raise
        first = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise SetupError(
            f"The model cannot run on {device!r}: {first}. Start with {DEVICE}=cpu."
        ) from error


def _read(folder: Path, device: str, kind: Any, **parts: Any) -> Any:
    import torch

    try:
        return kind.from_pretrained(
            folder,
            dtype=getattr(torch, kept_precision(device)),
            use_safetensors=True,
            local_files_only=True,
            **parts,
        )
    except Exception as error:  # diffusers raises whatever the libraries below it raise
        if is_out_of_memory(error):
            raise
        first = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise SetupError(
            f"The weights in {folder} cannot be loaded: {first} Pull or copy them again, or name "
            "other weights."
        ) from error


def _check_whole(part: Any, folder: Path) -> None:
    """Refuse a network of diffusers of which weights are missing: they would be random."""
    from diffusers import ModelMixin
    from safetensors import safe_open

    if not isinstance(part, ModelMixin):
        return
    there: set[str] = set()
    for file in part_weights(folder):
        with safe_open(file, "pt") as opened:
            there |= set(opened.keys())
    if missing := sorted(set(part.state_dict()) - there):
        shown = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        raise SetupError(
            f"The weights in {folder} lack {len(missing)} parts: {shown}. Pull or copy them again, "
            "or name other weights."
        )
