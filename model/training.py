"""Training an LMM from a recipe: stages of what is learned, how fast and on what.

    llava-plus trains its own planner with `make nano`; see `recipes/nano.yaml`.

A run writes `checkpoint.pt` as it goes and continues from it when it is started again.
"""

import json
import logging
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import yaml
from torch import Tensor, nn

from llava_plus.errors import SetupError

from .dataset import EncodedSet
from .lmm import LMM
from .optim import Muon
from .presets import PRESETS
from .processing import LMMProcessor

LOG = logging.getLogger(__name__)
PARTS = ("towers", "connector", "decoder")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of training.

    Args:
        name: What logs call it.
        steps: How many optimizer steps.
        tokens: Tokens per step and process, padding included.
        train: Which parts learn; the others are frozen.
        matrix_rate: Muon's learning rate, for the decoder's matrices.
        rate: Adam's, for everything else.
        warmup: Steps of linear warm-up.
        decay_from: Share of the steps after which rates fall linearly to ``floor``.
        floor: Share of the rates that is left at the end.
        clip: Largest norm of the gradient of what Adam trains.
    """

    name: str
    steps: int
    tokens: int = 3500
    train: tuple[str, ...] = PARTS
    matrix_rate: float = 0.02
    rate: float = 0.003
    warmup: int = 12
    decay_from: float = 0.5
    floor: float = 0.02
    clip: float = 1.0

    def __post_init__(self) -> None:
        if unknown := set(self.train) - set(PARTS):
            raise SetupError(f"Stage {self.name}: no part {sorted(unknown)}; parts are {PARTS}.")

    def share(self, step: int) -> float:
        """The share of the learning rates at a step, counted from 0."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        start = self.decay_from * self.steps
        if step < start:
            return 1.0
        done = (step - start) / max(1.0, self.steps - start)
        return 1.0 - (1.0 - self.floor) * min(1.0, done)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What `recipes/*.yaml` says of a training run."""

    preset: str
    stages: tuple[Stage, ...]
    seed: int = 0
    processes: int = 1
    longest: int = 512
    checkpoint_every: int = 200
    compile: bool = False  # faster after a minute or two; needs a C++ compiler
    data: dict[str, Any] = field(default_factory=dict)  # for whoever makes the data

    @classmethod
    def read(cls, path: Path, **changes: Any) -> "Recipe":
        """Read a recipe; what is unknown or missing is a `SetupError`."""
        said = {**yaml.safe_load(path.read_text(encoding="utf-8")), **changes}
        try:
            stages = tuple(
                Stage(**{**stage, "train": tuple(stage.get("train", PARTS))})
                for stage in said.pop("stages")
            )
            return cls(stages=stages, **said)
        except (KeyError, TypeError) as error:
            raise SetupError(
                f"{path}: {error}. See recipes/nano.yaml for what a recipe says."
            ) from error


def train(recipe: Recipe, folders: list[Path], processor_dir: Path, out: Path) -> None:
    """Train a preset from its initial weights, or go on from the checkpoint in ``out``.

    Args:
        recipe: What to do.
        folders: Folders of conversations (`dataset.ConversationWriter`).
        processor_dir: Where the processor was saved.
        out: Where checkpoints and, at the end, the model go.
    """
    out.mkdir(parents=True, exist_ok=True)
    arguments = (recipe, folders, processor_dir, out)
    if recipe.processes == 1:
        _run(0, 1, *arguments)
        return
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29517")
    mp.spawn(_join, args=(recipe.processes, *arguments), nprocs=recipe.processes)  # type: ignore[no-untyped-call]


def _join(rank: int, world: int, *arguments: Any) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // world))
    dist.init_process_group("gloo", rank=rank, world_size=world)
    try:
        _run(rank, world, *arguments)
    finally:
        dist.destroy_process_group()


def _run(
    rank: int, world: int, recipe: Recipe, folders: list[Path], processor_dir: Path, out: Path
) -> None:
    torch.manual_seed(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    processor = LMMProcessor.from_pretrained(processor_dir)
    examples = EncodedSet(folders, processor, longest=recipe.longest)
    config = PRESETS[recipe.preset](
        len(processor.tokenizer), image_token_id=processor.image_token_id
    )
    model = LMM(config).to(device).train()
    if recipe.compile:
        body = model.decoder.base_model
        body.forward = torch.compile(body.forward, dynamic=True)
    if rank == 0:
        lengths = [len(example.ids) for example in examples.examples]
        LOG.info(
            "%d conversations, %d tokens (%d conversations longer than %d left out), %d pictures;"
            " %.2fM parameters on %s",
            len(lengths), sum(lengths), examples.dropped, recipe.longest, len(examples.pixels),
            sum(p.numel() for p in model.parameters()) / 1e6, device,
        )  # fmt: skip
    checkpoint = out / "checkpoint.pt"
    done = (
        torch.load(checkpoint, map_location=device, weights_only=True)
        if checkpoint.exists()
        else None
    )
    for index, stage in enumerate(recipe.stages):
        if done is not None and done["stage"] > index:
            continue
        start = done if done is not None and done["stage"] == index else None
        _stage(rank, world, model, examples, recipe, index, start, out, device)
        done = None
    if rank == 0:
        model.eval().save_pretrained(out / "model")
        processor.save_pretrained(out / "model")
        LOG.info("saved %s", out / "model")


def _stage(
    rank: int, world: int, model: LMM, examples: EncodedSet, recipe: Recipe, index: int,
    start: dict[str, Any] | None, out: Path, device: torch.device,
) -> None:  # fmt: skip
    stage = recipe.stages[index]
    optimizers = _optimizers(model, stage, rank, world)
    first = 0
    if start is not None:
        model.load_state_dict(start["model"])
        for optimizer, state in zip(optimizers, start["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        first = start["step"]
        LOG.info("stage %s goes on from step %d", stage.name, first)
    batches = _endless(examples, stage.tokens, recipe.seed + index, rank, world, first)
    seen, began, losses = 0, time.perf_counter(), []
    for step in range(first, stage.steps):
        batch = {
            name: tensor.to(device) for name, tensor in examples.collate(next(batches)).items()
        }
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss: Tensor = model(**batch, labelled_only=True).loss
        loss.backward()
        _average(model, world)
        adam_params = [p for g in optimizers[-1].param_groups for p in g["params"]]
        nn.utils.clip_grad_norm_(adam_params, stage.clip)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * stage.share(step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seen += int(batch["attention_mask"].sum()) * world
        if rank == 0 and ((step + 1) % 20 == 0 or step + 1 == stage.steps):
            passed = time.perf_counter() - began
            mean = sum(losses[-50:]) / len(losses[-50:])
            left = passed / (step + 1 - first) * (stage.steps - step - 1)
            LOG.info(
                "stage %s step %d/%d loss %.4f, %.0f tokens/s, %.1fM tokens, %.0f min left",
                stage.name, step + 1, stage.steps, mean, seen / passed, seen / 1e6, left / 60,
            )  # fmt: skip
        if math.isnan(losses[-1]):
            raise SetupError(
                f"The loss is no number at step {step}: lower the rates in the recipe."
            )
        if rank == 0 and ((step + 1) % recipe.checkpoint_every == 0 or step + 1 == stage.steps):
            _save(out / "checkpoint.pt", model, optimizers, index, step + 1)


def _optimizers(model: LMM, stage: Stage, rank: int, world: int) -> list[torch.optim.Optimizer]:
    """Muon for the decoder's matrices, Adam for embeddings, norms, connector and towers."""
    matrices, others = [], []
    embeddings = {id(p) for p in model.get_input_embeddings().parameters()}
    for name, param in model.named_parameters():
        part = name.split(".")[0]
        param.requires_grad_(part in stage.train or part not in PARTS)
        if not param.requires_grad:
            continue
        inner = part == "decoder" and param.ndim == 2 and id(param) not in embeddings
        (matrices if inner else others).append(param)
    optimizers: list[torch.optim.Optimizer] = []
    if matrices:
        optimizers.append(Muon(matrices, lr=stage.matrix_rate, rank=rank, world=world))
    optimizers.append(torch.optim.Adam(others, lr=stage.rate, betas=(0.9, 0.97)))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers


def _endless(
    examples: EncodedSet, tokens: int, seed: int, rank: int, world: int, skip: int
) -> Iterator[list[int]]:
    """Batches of this process, epoch after epoch, from the given step on."""
    epoch, step = 0, 0
    while True:
        batches = examples.batches(tokens, seed=seed, epoch=epoch)
        if len(batches) < world:
            raise SetupError(f"{len(batches)} batches are too few for {world} processes.")
        for at in range(0, len(batches) - world + 1, world):
            if step >= skip:
                yield batches[at + rank]
            step += 1
        epoch += 1


def _average(model: LMM, world: int) -> None:
    if world == 1:
        return
    params = [p for p in model.parameters() if p.requires_grad]
    for param in params:
        if param.grad is None:
            param.grad = torch.zeros_like(param)
    flat = torch.cat([p.grad.flatten() for p in params if p.grad is not None])
    dist.all_reduce(flat)
    flat /= world
    for param, piece in zip(params, flat.split([p.numel() for p in params]), strict=True):
        assert param.grad is not None
        param.grad.copy_(piece.view_as(param))


def _save(
    path: Path, model: LMM, optimizers: list[torch.optim.Optimizer], stage: int, step: int
) -> None:
    """Write the checkpoint whole or not at all."""
    state = {
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "stage": stage,
        "step": step,
    }
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
    path.with_suffix(".json").write_text(json.dumps({"stage": stage, "step": step}) + "\n")
