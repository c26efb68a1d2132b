"""Training a small SAM of transformers to outline what a box is around or a point lies on."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .scenes import PARTS, SIDE, Scene, parts_shown, scenes
from .steps import begun, saved, train

COUNT = 1000  # scenes
STEPS = 1800
BATCH = 16
_PATCH = 8  # pixels
_WIDE = 96  # channels


def train_sam(
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
    if (made := begun(folder, lambda _: build(), tell, seed=seed)) is None:
        return []
    model, processor = made
    tell(f"Drawing {count} scenes.")
    drawn = list(scenes(count, seed=seed))
    pictures = [one.image.to_pil() for one in drawn]
    pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]

    seeing, state = folder / "seeing.pt", folder / "training.pt"
    learn_to_see(model.vision_encoder, pixels, drawn, seeing, tell, steps=steps // 3, seed=seed)

    def loss_of(rng: random.Random) -> Any:
        rows = rng.sample(range(count), min(BATCH, count))
        prompts, targets = prompted([drawn[row] for row in rows], rng)
        return outline_loss(model, model.vision_encoder(pixels[rows])[0], prompts, targets)

    losses = train(model, state, loss_of, tell, steps=steps, rate=1e-3, seed=seed)
    saved(folder, model, processor)
    return losses


def learn_to_see(
    encoder: Any,
    pixels: Any,
    drawn: Sequence[Scene],
    state: Path,
    tell: Callable[[str], None],
    *,
    steps: int,
    seed: int,
) -> None:
    """Teach the large part alone where things are and how far each reaches; then it goes sooner.

    Args:
        encoder: Of a ``SamModel``.
        pixels: (picture, 3, height, width)
        drawn: The scenes that they show.
        state: The file that keeps the state.
        tell: Takes what a person is told.
        steps: How many batches.
        seed: Of what is drawn.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss

    eyes = torch.nn.ModuleList([encoder, torch.nn.Linear(_WIDE, PARTS + 4)])
    shown = [_shown(one) for one in drawn]
    fine, boxes = (torch.stack(each) for each in zip(*shown, strict=True))

    def loss_of(rng: random.Random) -> Any:
        rows = rng.sample(range(len(drawn)), min(BATCH, len(drawn)))
        told = eyes[1](encoder(pixels[rows])[0].permute(0, 2, 3, 1))  # (picture, row, column, …)
        on = fine[rows].mean(3, keepdim=True) > 0.5
        reach = l1_loss(told[..., PARTS:] * on, boxes[rows] * on, reduction="sum") / on.sum()
        return binary_cross_entropy_with_logits(told[..., :PARTS], fine[rows]) + reach

    tell("First the large part learns to see.")
    train(eyes, state, loss_of, tell, steps=steps, rate=2e-3, seed=seed)


def _shown(scene: Scene) -> tuple[Any, Any]:
    """Return for each patch which of its 16 parts show a thing, and the box of that on its middle.

    Returns:
        fine: (row, column, part) of 0 and 1.
        boxes: (row, column, 4) in 0..1.
    """
    import torch

    masks = torch.from_numpy(scene.masks).float()
    middles = masks[:, _PATCH // 2 :: _PATCH, _PATCH // 2 :: _PATCH]  # (thing, row, column)
    boxes = torch.tensor(scene.boxes)[middles.argmax(0)] * middles.amax(0)[..., None]
    return torch.from_numpy(parts_shown(scene.masks, _PATCH)), boxes


def build() -> tuple[Any, Any]:
    """Return a SAM of random weights that sees pictures of `SIDE` pixels, and its processor."""
    from transformers import SamConfig, SamImageProcessor, SamModel, SamProcessor

    config = SamConfig(
        vision_config={
            "hidden_size": 64, "output_channels": _WIDE, "num_hidden_layers": 3,
            "num_attention_heads": 4, "mlp_dim": 128, "image_size": SIDE,
            "patch_size": _PATCH, "num_pos_feats": _WIDE // 2, "window_size": 8,
            "global_attn_indexes": [2], "initializer_range": 0.02,
        },
        prompt_encoder_config={
            "hidden_size": _WIDE, "image_size": SIDE, "patch_size": _PATCH,
            "mask_input_channels": 8,
        },
        mask_decoder_config={
            "hidden_size": _WIDE, "mlp_dim": 2 * _WIDE, "num_hidden_layers": 2,
            "num_attention_heads": 4, "iou_head_hidden_dim": _WIDE,
        },
    )  # fmt: skip
    model = SamModel(config)
    _begin(model)
    fine = 4 * SIDE // _PATCH
    images = SamImageProcessor(
        size={"longest_edge": SIDE},
        pad_size={"height": SIDE, "width": SIDE},
        mask_size={"longest_edge": fine},
        mask_pad_size={"height": fine, "width": fine},
    )
    return model, SamProcessor(images)


def _begin(model: Any) -> None:
    """Let the weights begin as those of SAM's authors do.

    transformers draws most of them so small that the tokens for masks and for kinds of points are
    all alike, and the frequencies that tell places apart so large that near ones are no more alike
    than far ones; to weights that are loaded, neither matters.
    """
    from torch import nn

    for part in model.modules():
        if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding):
            part.reset_parameters()
    nn.init.normal_(model.shared_image_embedding.positional_embedding)


def prompted(drawn: Sequence[Scene], rng: random.Random) -> tuple[dict[str, Any], Any]:
    """Choose a thing of each scene, and point at it: half of the time with a box.

    Returns:
        prompts: What the model takes, for one prompt a picture.
        targets: (picture, row, column), 1 where the thing is, as fine as the model's masks.
    """
    import torch

    masks = np.stack([rng.choice(list(one.masks)) for one in drawn])
    prompts: dict[str, Any]
    if rng.random() < 0.5:
        boxes = [_around(mask, rng) for mask in masks]
        prompts = {"input_boxes": torch.tensor(boxes, dtype=torch.float32)[:, None]}
    else:
        places = [rng.choice(np.argwhere(mask)[:, ::-1].tolist()) for mask in masks]
        prompts = {
            "input_points": torch.tensor(places, dtype=torch.float32)[:, None, None],
            "input_labels": torch.ones(len(places), 1, 1, dtype=torch.int64),
        }
    fine = torch.from_numpy(masks).float()[:, None]
    targets = torch.nn.functional.avg_pool2d(fine, _PATCH // 4)[:, 0]
    return prompts, (targets >= 0.5).float()


def outline_loss(model: Any, looks: Any, prompts: dict[str, Any], targets: Any) -> Any:
    """Return the loss of SAM's paper for the best of three masks, and of all three scores.

    Args:
        model: A ``SamModel``.
        looks: (picture, channel, row, column), what its large part makes of them.
        prompts: One for each picture.
        targets: (picture, row, column) of 0 and 1.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

    output = model(image_embeddings=looks, **prompts)
    logits, scores = output.pred_masks[:, 0], output.iou_scores[:, 0]  # (picture, choice, …)
    wanted = targets[:, None].expand_as(logits)
    sure = logits.sigmoid()
    shared = (sure * wanted).sum((2, 3))
    dice = 1 - (2 * shared + 1) / (sure.sum((2, 3)) + wanted.sum((2, 3)) + 1)
    wrong = binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean((2, 3))
    with torch.no_grad():
        found = logits > 0
        both = (found & (wanted > 0)).sum((2, 3))
        overlap = both / (found | (wanted > 0)).sum((2, 3)).clamp(min=1)
    best = (dice + 5 * wrong).min(dim=1).values
    return best.mean() + mse_loss(scores, overlap)


def _around(mask: Any, rng: random.Random) -> tuple[float, ...]:
    """Return the box around a mask in pixels, a little off, as a person or a detector draws it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    sides = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    off = 0.06 * max(sides[2] - sides[0], sides[3] - sides[1])
    return tuple(float(min(max(side + rng.uniform(-off, off), 0), SIDE)) for side in sides)
