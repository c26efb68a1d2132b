"""Dividing a picture by what each part shows, with models that were trained on a list of classes.

Mask2Former (Cheng et al. 2022, arXiv 2112.01527), OneFormer (Jain et al. 2023, arXiv 2211.06220)
and SegFormer (Xie et al. 2021, arXiv 2105.15203), as transformers has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from llava_plus.skills import Image, Masks
from llava_plus.skills.rle import RLE, encode

from .checkpoint import load_checkpoint
from .finds import check_picture
from .wording import pillow

LEAST = 0.001  # of the picture; classes with less of it are left out
TASK = "the task is semantic"  # what OneFormer is told

Prepare = Callable[[Any], Mapping[str, Any]]  # of a Pillow picture what the model takes


def load_mask2former(folder: Path, device: str) -> Scenes:
    """Load a Mask2Former that was trained on semantic segmentation."""
    from transformers import Mask2FormerForUniversalSegmentation, Mask2FormerImageProcessor

    classes = (Mask2FormerForUniversalSegmentation, Mask2FormerImageProcessor)
    return _plain(*load_checkpoint(folder, device, *classes))


def load_segformer(folder: Path, device: str) -> Scenes:
    """Load a SegFormer."""
    from transformers import SegformerForSemanticSegmentation, SegformerImageProcessor

    classes = (SegformerForSemanticSegmentation, SegformerImageProcessor)
    return _plain(*load_checkpoint(folder, device, *classes))


def load_oneformer(folder: Path, device: str) -> Scenes:
    """Load a OneFormer, which is told what to do in words."""
    from transformers import OneFormerForUniversalSegmentation

    model, (pictures, tokenizer) = load_checkpoint(
        folder, device, OneFormerForUniversalSegmentation, _OneFormerParts
    )
    how = {"padding": "max_length", "max_length": model.config.task_seq_len, "truncation": True}
    words = tokenizer(TASK, return_tensors="pt", **how)
    task = words["input_ids"] * words["attention_mask"]  # (1, length), 0 where nothing is said

    def prepare(picture: Any) -> Mapping[str, Any]:
        pixels = pictures(picture, ["semantic"], return_tensors="pt")["pixel_values"]
        return {"pixel_values": pixels, "task_inputs": task}

    return Scenes(model, prepare, pictures.post_process_semantic_segmentation)


class Scenes:
    """Divides pictures.

    Args:
        model: A model for semantic segmentation, whose config names the classes.
        prepare: Makes of a Pillow picture what the model takes.
        read: Makes of its output and a list with the picture's (height, width) a list with a map of
            the classes' numbers.
    """

    def __init__(self, model: Any, prepare: Prepare, read: Callable[..., Any]) -> None:
        self._model = model
        self._prepare = prepare
        self._read = read

    def __call__(self, image: Image) -> Masks:
        """Return a mask for each class that is in the picture, the largest first."""
        import torch

        check_picture("segment_scene", image)
        prepared = self._prepare(pillow(image))
        inputs = {name: tensor.to(self._model.device) for name, tensor in prepared.items()}
        with torch.inference_mode():
            output = self._model(**inputs)
            size = (image.height, image.width)
            numbers = self._read(output, target_sizes=[size])[0].cpu().numpy()  # (height, width)
        found, counts = np.unique(numbers, return_counts=True)
        codes: list[RLE] = []
        labels: list[str] = []
        for place in np.argsort(-counts, kind="stable"):
            if counts[place] >= LEAST * numbers.size:
                codes.append(encode(numbers == found[place]))
                labels.append(named(self._model.config.id2label, int(found[place])))
        return Masks(tuple(codes), labels=tuple(labels))


def named(names: Mapping[int, str], number: int) -> str:
    """Return what a class is called, without its other names: "wall", "bed" of "bed, cot"."""
    return str(names.get(number, f"class {number}")).split(",")[0].split(";")[0].strip()


def _plain(model: Any, processor: Any) -> Scenes:
    def prepare(picture: Any) -> Mapping[str, Any]:
        return {"pixel_values": processor(images=picture, return_tensors="pt")["pixel_values"]}

    return Scenes(model, prepare, processor.post_process_semantic_segmentation)


class _OneFormerParts:
    """OneFormer's processor in two parts, without the list of classes that only training needs.

    Its own class fetches that list from the hub.
    """

    @staticmethod
    def from_pretrained(folder: Path, **how: Any) -> tuple[Any, Any]:
        from transformers import CLIPTokenizer, OneFormerImageProcessor

        pictures = OneFormerImageProcessor.from_pretrained(folder, class_info_file=None, **how)
        return pictures, CLIPTokenizer.from_pretrained(folder, **how)
