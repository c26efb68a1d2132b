"""Training an LMM from a recipe: stages of what is learned, how fast and on what.

    llava-plus trains its own planner with `make nano`; see `recipes/nano.yaml`.

A run writes `checkpoint.pt` as it goes and continues from it when it is started again.
"""

import json
import logging
import math
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from llava_plus.errors import SetupError

from .dataset import EncodedSet
from .lmm import LMM
from .optim import Muon
from .presets import PRESETS
from .processing import LMMProcessor
from .recipe import PARTS, Recipe, Stage

__all__ = ["Recipe", "Stage", "train"]

LOG = logging.getLogger(__name__)


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
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    with socket.create_server(("127.0.0.1", 0)) as free:
        os.environ["MASTER_PORT"] = str(free.getsockname()[1])
    spawn(_join, args=(recipe.processes, *arguments), nprocs=recipe.processes)  # type: ignore[no-untyped-call]


def _join(rank: int, world: int, *arguments: Any) -> None:
    # How torch ends a process whose parent was killed; shells start background jobs deaf to it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
    model = LMM(config)
    nn.Module.to(model, device)
    model.train()
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
    done = _checkpoint(out / "checkpoint.pt", model, recipe, device)
    for index in range(len(recipe.stages)):
        if done is not None and done["stage"] > index:
            continue
        start = done if done is not None and done["stage"] == index else None
        _stage(rank, world, model, examples, recipe, index, start, out, device)
        done = None
        if rank == 0 and recipe.average:
            torch.save(model.state_dict(), _end(out, index))
    if rank == 0:
        if recipe.average:
            model.load_state_dict(_mean([_end(out, i) for i in range(len(recipe.stages))], device))
        model.train(False)
        model.save_pretrained(out / "model")
        processor.save_pretrained(out / "model")
        LOG.info("saved %s", out / "model")


def _end(out: Path, index: int) -> Path:
    """Where the weights lie that a stage ended with."""
    return out / f"end_{index}.pt"


def _mean(files: list[Path], device: torch.device) -> dict[str, Tensor]:
    """The mean of several weights of one model (a "soup", Wortsman et al. 2022)."""
    ends = [torch.load(file, map_location=device, weights_only=True) for file in files]
    return {name: torch.stack([end[name] for end in ends]).mean(dim=0) for name in ends[0]}


def _checkpoint(
    path: Path, model: LMM, recipe: Recipe, device: torch.device
) -> dict[str, Any] | None:
    """Load what was saved, and the weights into the model; nothing where there is no checkpoint."""
    if not path.exists():
        return None
    done: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    try:
        if done["stage"] >= len(recipe.stages):
            raise ValueError(f"it ended in stage {done['stage'] + 1} of {len(recipe.stages)}")
        model.load_state_dict(done["model"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise SetupError(
            f"{path} is of another recipe or other data: {error}. Remove it to begin anew."
        ) from error
    return done


def _stage(
    rank: int, world: int, model: LMM, examples: EncodedSet, recipe: Recipe, index: int,
    start: dict[str, Any] | None, out: Path, device: torch.device,
) -> None:  # fmt: skip
    stage = recipe.stages[index]
    optimizers = _optimizers(model, stage, rank, world)
    first = 0
    if start is not None:
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
        loss.backward()  # type: ignore[no-untyped-call]
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
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
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
    sizes = [param.numel() for param in params]
    for param, piece in zip(params, torch.split(flat, sizes), strict=True):
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
