"""A training loop that goes on where it was killed."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEEP = 100  # steps between two states on disk
TELL = 50


def train(
    model: Any,
    file: Path,
    loss_of: Callable[[random.Random], Any],
    tell: Callable[[str], None],
    *,
    steps: int,
    rate: float,
    seed: int,
) -> list[float]:
    """Train a model; return its loss as it was after every fifty steps, on average.

    Args:
        model: A module of PyTorch.
        file: Where the state is kept meanwhile; there already, it is gone on with.
        loss_of: Draws a batch and computes its loss; each step has a source of chance of its own.
        tell: Takes what a person is told.
        steps: How many.
        rate: The highest learning rate; it rises for a twentieth of the steps, then falls to 0.
        seed: Of what is drawn.
    """
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.05)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    done, means = 0, []
    if file.is_file():
        kept = torch.load(file, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(kept[name])
        done, means = kept["done"], kept["means"]
        tell(f"Going on after step {done} of {steps}.")
    model.train()
    since: list[float] = []
    for step in range(done, steps):
        loss = loss_of(random.Random(f"{seed}:{step}"))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        since.append(float(loss.detach()))
        if (step + 1) % TELL == 0 or step + 1 == steps:
            means.append(sum(since) / len(since))
            tell(f"step {step + 1} of {steps}: loss {means[-1]:.3f}")
            since = []
        if (step + 1) % KEEP == 0:
            states = {name: part.state_dict() for name, part in parts.items()}
            torch.save({**states, "done": step + 1, "means": means}, file.with_suffix(".new"))
            file.with_suffix(".new").replace(file)
    return means


def saved(folder: Path, model: Any, processor: Any) -> None:
    """Save a trained model as the hub's are; what was kept to go on with is not needed then."""
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    for file in folder.glob("*.pt"):
        file.unlink()


def begun(
    folder: Path, build: Callable[[Path], Any], tell: Callable[[str], None], *, seed: int
) -> Any:
    """Make the folder, and what is trained from its seed; none where that was trained before.

    Args:
        folder: Gets the model.
        build: Makes it of random weights.
        tell: Takes what a person is told.
        seed: Of the weights.
    """
    import torch

    if (weights := folder / "model.safetensors").is_file():
        tell(f"{weights} is there; delete it to train again.")
        return None
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    return build(folder)
