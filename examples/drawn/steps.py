"""A training loop that goes on where it was killed."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llava_plus.model.optim import Muon

KEEP = 100  # steps between two states on disk
TELL = 50
_MATRIX_RATE = 0.02


def train(
    model: Any,
    file: Path,
    loss_of: Callable[[random.Random], Any],
    tell: Callable[[str], None],
    *,
    steps: int,
    rate: float,
    seed: int,
    matrices: Sequence[Any] = (),
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
        matrices: Parameters of the model that Muon trains; AdamW trains all others.
    """
    import torch
    from torch.optim.lr_scheduler import OneCycleLR

    others = [part for part in model.parameters() if not any(part is one for one in matrices)]
    optimizer = torch.optim.AdamW(others, rate, weight_decay=1e-4)
    schedule = OneCycleLR(optimizer, rate, steps, pct_start=0.05)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    if matrices:
        muon = Muon(matrices)
        second = OneCycleLR(muon, _MATRIX_RATE, steps, pct_start=0.05, cycle_momentum=False)
        parts |= {"muon": muon, "second": second}
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
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for name in ("optimizer", "muon", "schedule", "second"):
            if name in parts:
                parts[name].step()
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
