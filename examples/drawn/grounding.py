"""Training a small GroundingDINO of transformers, with its own loss, on phrases for shapes."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .scenes import COLORS, KINDS, NAMES, SIDE, Scene, scenes
from .steps import begun, saved, train

COUNT = 1200  # scenes
STEPS = 450
BATCH = 16
# The model knows these numbers of BERT's, of what begins, ends and parts phrases.
_SPECIAL = {
    "[PAD]": 0,
    "[UNK]": 100,
    "[CLS]": 101,
    "[SEP]": 102,
    "[MASK]": 103,
    ".": 1012,
    "?": 1029,
}
_WIDE = 64  # channels
_SPREAD = 0.1  # of first weights; the usual 0.02 is for models ten times as wide


def train_grounding(
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
    if (made := begun(folder, build, tell, seed=seed)) is None:
        return []
    model, processor = made
    tell(f"Drawing {count} scenes.")
    drawn = list(scenes(count, seed=seed))
    pictures = processor.image_processor(
        images=[one.image.to_pil() for one in drawn], return_tensors="pt"
    )["pixel_values"]

    def loss_of(rng: random.Random) -> Any:
        rows = rng.sample(range(count), min(BATCH, count))
        caption, labels = asked([drawn[row] for row in rows], rng)
        seen = pictures[rows]
        if rng.random() < 0.5:  # as in a mirror
            seen = seen.flip(3)
            for label in labels:
                label["boxes"][:, 0] = 1 - label["boxes"][:, 0]
        inputs = processor.tokenizer([caption] * len(rows), return_tensors="pt")
        output = model(pixel_values=seen, labels=labels, **inputs)
        own = output.loss - 2 * output.loss_dict["loss_ce_enc"]  # it teaches words by chance
        return own + everywhere(model, output, labels, inputs["input_ids"])

    learn_to_see(model, pictures, drawn, folder / "seeing.pt", tell, steps=steps // 3, seed=seed)
    state = folder / "training.pt"
    losses = train(model, state, loss_of, tell, steps=steps, rate=1e-3, seed=seed)
    saved(folder, model, processor)
    return losses


def learn_to_see(
    model: Any,
    pictures: Any,
    drawn: Sequence[Scene],
    state: Path,
    tell: Callable[[str], None],
    *,
    steps: int,
    seed: int,
) -> None:
    """Teach the backbone alone to tell the shapes apart; words come later, and then sooner.

    Args:
        model: A ``GroundingDinoForObjectDetection``.
        pictures: (picture, 3, height, width)
        drawn: The scenes that they show.
        state: The file that keeps the state.
        tell: Takes what a person is told.
        steps: How many batches.
        seed: Of what is drawn.
    """
    import torch

    outer = model.model
    eyes = torch.nn.ModuleList(
        [outer.backbone, outer.input_proj_vision, torch.nn.Linear(_WIDE, len(NAMES) + 1)]
    )
    middles = places(SIDE, 1)
    shown = torch.stack([torch.tensor(_shown(one, middles)) for one in drawn])  # (picture, place)
    mask = torch.ones(BATCH, SIDE, SIDE, dtype=torch.int64)

    def loss_of(rng: random.Random) -> Any:
        rows = rng.sample(range(len(drawn)), min(BATCH, len(drawn)))
        (seen, _), *_ = outer.backbone(pictures[rows], mask[: len(rows)])[0]
        told = eyes[2](outer.input_proj_vision[0](seen).flatten(2).transpose(1, 2))
        return torch.nn.functional.cross_entropy(told.flatten(0, 1), shown[rows].flatten())

    tell("First the backbone learns to see.")
    train(eyes, state, loss_of, tell, steps=steps, rate=2e-3, seed=seed)


def _shown(scene: Scene, middles: Any) -> list[int]:
    """Return the number of the shape on each place; where there is none, one more than the last."""
    rows, columns = ((middles[:, axis] * SIDE).long().tolist() for axis in (1, 0))
    numbers = [NAMES.index(name) for name in scene.names]
    on = scene.masks[:, rows, columns]  # (thing, place)
    return [numbers[int(column.argmax())] if column.any() else len(NAMES) for column in on.T]


def build(folder: Path) -> tuple[Any, Any]:
    """Return a GroundingDINO of random weights, and its processor; the folder gets its words."""
    from transformers import (
        BertTokenizer,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
        GroundingDinoProcessor,
    )

    words = {number: word for word, number in _SPECIAL.items()}
    words |= dict(enumerate((*COLORS, *KINDS), 1030))
    lines = [words.get(number, f"[unused{number}]") for number in range(max(words) + 1)]
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n")
    config = GroundingDinoConfig(
        backbone_config={
            "model_type": "convnext", "hidden_sizes": [24, 48, 96], "depths": [1, 2, 2],
            "num_stages": 3, "layer_scale_init_value": 0.0, "out_indices": [3],
            "initializer_range": _SPREAD,
        },
        text_config={
            "model_type": "bert", "vocab_size": len(lines), "hidden_size": _WIDE,
            "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 2 * _WIDE,
            "initializer_range": _SPREAD, "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0, "max_position_embeddings": _WIDE,
        },
        d_model=_WIDE, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=2 * _WIDE,
        decoder_ffn_dim=2 * _WIDE, encoder_attention_heads=4, decoder_attention_heads=4,
        num_feature_levels=2, num_queries=12, max_text_len=_WIDE, dropout=0.0, fusion_droppath=0.0,
        auxiliary_loss=True, class_cost=2.0, init_std=_SPREAD,
    )  # fmt: skip
    model = GroundingDinoForObjectDetection(config)
    _doubt(model.model)
    images = GroundingDinoImageProcessor(size={"shortest_edge": SIDE, "longest_edge": SIDE})
    return model, GroundingDinoProcessor(images, BertTokenizer.from_pretrained(str(folder)))


def _doubt(model: Any) -> None:
    """Let the model begin by taking every phrase for unlikely, as with such a loss it must.

    What it takes for likely are products of what it makes of places and of words; one channel is
    given to both with opposite signs, and the rest is made small.
    """
    import torch

    words = model.encoder.layers[-1].text_enhancer_layer.layer_norm_after
    torch.nn.init.constant_(words.weight, 0.3)
    torch.nn.init.constant_(words.bias[:1], -3.0)
    for places in (model.enc_output_norm, model.decoder.layer_norm):
        torch.nn.init.zeros_(places.weight[:1])
        torch.nn.init.ones_(places.bias[:1])


def asked(drawn: Sequence[Scene], rng: random.Random) -> tuple[str, list[dict[str, Any]]]:
    """Ask for one to sixteen things in all of some scenes, also for one that the first has.

    All scenes are asked for the same: with several pictures that are asked for different phrases,
    transformers' loss takes the words of one picture for those of another.

    Returns:
        caption: Such as "red star. blue circle."
        labels: As the model takes them: of what was asked for and is there, the number of the
            phrase and the box, as middle and size.
    """
    import torch

    phrases = rng.sample(NAMES, rng.choice((1, 4, 8, len(NAMES), len(NAMES))))
    if (there := rng.choice(drawn[0].names)) not in phrases:
        phrases[0] = there
    labels = []
    for scene in drawn:
        rows = [row for row, name in enumerate(scene.names) if name in phrases]
        sides = np.array([scene.boxes[row] for row in rows], np.float32).reshape(-1, 4)
        boxes = np.concatenate([(sides[:, :2] + sides[:, 2:]) / 2, sides[:, 2:] - sides[:, :2]], 1)
        numbers = [phrases.index(scene.names[row]) for row in rows]
        labels.append(
            {
                "class_labels": torch.tensor(numbers, dtype=torch.int64),
                "boxes": torch.from_numpy(boxes),
            }
        )
    return ". ".join(phrases) + ".", labels


def everywhere(model: Any, output: Any, labels: Sequence[dict[str, Any]], words: Any) -> Any:
    """Return a further loss: what the encoder makes of each place within a thing.

    The decoder begins with the boxes of the places that fit the words best, and transformers' own
    loss teaches neither: it cuts both off from what they were computed from. As in FCOS, a place
    belongs to the smallest box that it is in.

    Args:
        model: A ``GroundingDinoForObjectDetection``.
        output: Of it.
        labels: See `asked`.
        words: (picture, token)
    """
    import torch
    from transformers.loss.loss_grounding_dino import sigmoid_focal_loss
    from transformers.models.grounding_dino.modeling_grounding_dino import build_label_maps

    logits, boxes = output.enc_outputs_class, output.enc_outputs_coord_logits.sigmoid()
    maps = build_label_maps(logits, words)  # of each picture (phrase, token)
    middles = places(SIDE, model.config.num_feature_levels)
    fits = torch.zeros_like(logits)
    wrong: list[Any] = []
    for picture, (label, tokens) in enumerate(zip(labels, maps, strict=True)):
        thing = label["boxes"]
        if not len(thing):
            continue
        off = (middles[:, None] - thing[None, :, :2]).abs() * 2  # (place, thing, 2)
        area = thing.prod(1).expand(len(middles), -1)
        area = area.masked_fill((off > 0.8 * thing[None, :, 2:]).any(2), 9.0)
        least, which = area.min(1)
        inside = least < 9.0
        fits[picture, inside] = tokens[label["class_labels"][which[inside]]].float()
        wrong.append((boxes[picture, inside] - thing[which[inside]]).abs().sum(1))
    seen = torch.isfinite(logits)
    off = torch.cat(wrong) if wrong else boxes.new_zeros(0)
    count = max(len(off), 1)
    return sigmoid_focal_loss(logits[seen], fits[seen], count) * 5 + 5 * off.sum() / count


def places(side: int, levels: int) -> Any:
    """Return the middles of what the encoder looks at, (place, 2) in 0..1, level by level."""
    import torch

    found = []
    for level in range(levels):
        across = side // (16 * 2**level)
        line = (torch.arange(across) + 0.5) / across
        y, x = torch.meshgrid(line, line, indexing="ij")
        found.append(torch.stack([x, y], 2).reshape(-1, 2))
    return torch.cat(found)
