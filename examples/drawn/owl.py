"""Training a small OWLv2 of transformers to find shapes by what they are called."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llava_plus.skills.backends.owlv2 import asked_for

from .scenes import NAMES, PARTS, SIDE, Scene, parts_shown, scenes
from .steps import begun, saved, train

COUNT = 8000  # scenes; with a quarter of them it knows those by heart
STEPS = 6000
BATCH = 16
_PATCH = 8  # pixels
_WIDE = 96  # channels
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LONGEST = 32  # letters and two marks


def train_owl(
    folder: Path, tell: Callable[[str], None], *, seed: int, count: int = COUNT, steps: int = STEPS
) -> list[float]:
    """Train, or go on where a training stopped; save the model as the hub's are; return losses.

    Args:
        folder: Gets the model.
        tell: Takes what a person is told.
        seed: Of scenes and weights.
        count: How many scenes.
        steps: How many batches.
    """
    import torch

    if (made := begun(folder, build, tell, seed=seed)) is None:
        return []
    model, processor = made
    tell(f"Drawing {count} scenes.")
    drawn = ((one.image.to_pil(), _shown(one)) for one in scenes(count, seed=seed))
    pictures, shown = zip(*drawn, strict=True)
    numbers, boxes, parts = (torch.stack(each) for each in zip(*shown, strict=True))
    words = processor.tokenizer(
        [asked_for(name) for name in NAMES], return_tensors="pt", padding=True
    )
    aid = torch.nn.Linear(_WIDE, len(NAMES) + PARTS)

    def loss_of(rng: random.Random) -> Any:
        rows = rng.sample(range(count), min(BATCH, count))
        images = [pictures[row] for row in rows]
        seen = processor.image_processor(images=images, return_tensors="pt")["pixel_values"]
        named, boxed, shape = numbers[rows], boxes[rows], parts[rows]
        if rng.random() < 0.5:  # as in a mirror
            seen, named, boxed, shape = (
                seen.flip(3), _mirrored(named), _mirrored(boxed), _mirrored(shape)
            )  # fmt: skip
            boxed[..., 0] = 1 - boxed[..., 0]
            shape = shape.unflatten(2, (4, 4)).flip(3).flatten(2)
        features, _ = model.image_embedder(seen)
        found = loss(model, features, words, named, boxed)
        return found + _aiding(aid(features.flatten(1, 2)), named, shape)

    state = folder / "training.pt"
    layers = model.owlv2.vision_model.encoder.layers
    matrices = [part for part in layers.parameters() if part.ndim == 2]
    both = torch.nn.ModuleList([model, aid])
    losses = train(both, state, loss_of, tell, steps=steps, rate=3e-3, seed=seed, matrices=matrices)
    saved(folder, model, processor)
    return losses


def loss(model: Any, features: Any, words: Any, numbers: Any, boxes: Any) -> Any:
    """Return how wrong the names and boxes are that each patch gives.

    The paper matches patches with things one to one, and pictures by the million teach it; here
    every patch on a thing is to name it and to box it, which a small model learns sooner, and of
    boxes that lie on each other the skill keeps the surest. Names: whether each fits, and which
    fits best. Boxes: their distance, and 1 - IoU.

    Args:
        model: An ``Owlv2ForObjectDetection``.
        features: (picture, row, column, channel), what it makes of pictures.
        words: What the tokenizer makes of all `NAMES`.
        numbers: (picture, patch), which of `NAMES` is there; one more than the last for none.
        boxes: (picture, patch, 4), of what is there: middle and size in 0..1.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

    patches = features.flatten(1, 2)
    texts = model.owlv2.get_text_features(**words).pooler_output
    logits, _ = model.class_predictor(patches, texts.expand(len(patches), -1, -1))
    wanted = one_hot(numbers, len(NAMES) + 1)[..., :-1].float()
    on = numbers < len(NAMES)
    count = on.sum().clamp(min=1)
    fits = binary_cross_entropy_with_logits(logits, wanted, reduction="sum")
    best = 3 * cross_entropy(logits[on], numbers[on], reduction="sum")
    told, true = model.box_predictor(patches, features)[on], boxes[on]
    placed = 5 * (told - true).abs().sum() + (1 - _overlap(told, true)).sum()
    return (fits + best + placed) / count


def _aiding(told: Any, numbers: Any, shape: Any) -> Any:
    """Return how wrong a layer is that reads names and outlines from patches, with no words.

    It is thrown away in the end; the eyes learn sooner with it, since they need not wait until the
    words for two things differ.

    Args:
        told: (picture, patch, name and part)
        numbers: As for `loss`.
        shape: (picture, patch, part), 1 where a thing is seen.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    on = numbers < len(NAMES)
    named = cross_entropy(told[on][:, : len(NAMES)], numbers[on])
    return 3 * named + 2 * binary_cross_entropy_with_logits(told[..., len(NAMES) :], shape)


def _mirrored(patches: Any) -> Any:
    """Return what patches (picture, patch, …) have, left and right exchanged."""
    across = SIDE // _PATCH
    return patches.unflatten(1, (across, across)).flip(2).flatten(1, 2)


def _overlap(one: Any, other: Any) -> Any:
    """Return the intersection over union of boxes by middle and size, (box, 4) each."""
    import torch

    low = torch.maximum(one[:, :2] - one[:, 2:] / 2, other[:, :2] - other[:, 2:] / 2)
    high = torch.minimum(one[:, :2] + one[:, 2:] / 2, other[:, :2] + other[:, 2:] / 2)
    both = (high - low).clamp(min=0).prod(1)
    return both / (one[:, 2:].prod(1) + other[:, 2:].prod(1) - both)


def _shown(scene: Scene) -> tuple[Any, Any, Any]:
    """Return what lies on the middle of each patch: its number in `NAMES`, its box, its outline.

    Returns:
        numbers: (patch,), one more than the last where there is nothing.
        boxes: (patch, 4), middle and size in 0..1.
        parts: (patch, part), 1 where one of the 16 parts of a patch shows a thing.
    """
    import torch

    half = _PATCH // 2
    on = torch.from_numpy(scene.masks[:, half::_PATCH, half::_PATCH]).flatten(1)  # (thing, patch)
    which = on.int().argmax(0)
    names = torch.tensor([NAMES.index(name) for name in scene.names])
    sides = torch.tensor(scene.boxes)
    boxes = torch.cat([(sides[:, :2] + sides[:, 2:]) / 2, sides[:, 2:] - sides[:, :2]], 1)
    parts = torch.from_numpy(parts_shown(scene.masks, _PATCH)).flatten(0, 1)
    return names[which].masked_fill(~on.any(0), len(NAMES)), boxes[which], parts


def build(folder: Path) -> tuple[Any, Any]:
    """Return an OWLv2 of random weights, and its processor; the folder gets its letters."""
    from transformers import (
        CLIPTokenizer,
        Owlv2Config,
        Owlv2ForObjectDetection,
        Owlv2ImageProcessor,
        Owlv2Processor,
    )

    signs = [*_LETTERS, *(f"{letter}</w>" for letter in _LETTERS)]
    signs += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({sign: n for n, sign in enumerate(signs)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer.from_pretrained(str(folder), model_max_length=_LONGEST)
    config = Owlv2Config(
        text_config={
            "vocab_size": len(signs), "hidden_size": _WIDE, "intermediate_size": 2 * _WIDE,
            "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": _LONGEST,
            "bos_token_id": len(signs) - 2, "eos_token_id": len(signs) - 1,
        },
        vision_config={
            "hidden_size": _WIDE, "intermediate_size": 4 * _WIDE, "num_hidden_layers": 4,
            "num_attention_heads": 4, "image_size": SIDE, "patch_size": _PATCH,
        },
        projection_dim=_WIDE,
    )  # fmt: skip
    model = Owlv2ForObjectDetection(config)
    _begin(model)
    images = Owlv2ImageProcessor(size={"height": SIDE, "width": SIDE})
    return model, Owlv2Processor(images, tokenizer)


def _begin(model: Any) -> None:
    """Let every patch know where it is, and begin with a box around itself and no likely name.

    transformers draws the heads so large that they are saturated, and places so that near ones are
    no more alike than far ones; to weights that are loaded, neither matters. Sines and cosines of
    both axes are what Beyer et al. 2022 (arXiv 2205.01580) begin with.
    """
    import torch
    from torch import nn

    for head in (model.class_head, model.box_head, model.objectness_head):
        for part in head.children():
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=0.02)
    nn.init.constant_(model.class_head.logit_shift.bias, -1.5)
    nn.init.constant_(model.class_head.logit_scale.bias, 2.0)
    eyes = model.owlv2.vision_model.embeddings
    eyes.patch_embedding.reset_parameters()
    with torch.no_grad():
        eyes.position_embedding.weight[1:] = _waves(SIDE // _PATCH)


def _waves(across: int) -> Any:
    """Return sines and cosines of column and row, (patch, channel)."""
    import torch

    rates = 100 ** -torch.linspace(0, 1, _WIDE // 4)
    turns = torch.arange(across)[:, None] * rates  # (place, rate)
    line = torch.cat([turns.sin(), turns.cos()], 1)
    columns, rows = line.repeat(across, 1), line.repeat_interleave(across, 0)
    return torch.cat([columns, rows], 1) / 2
