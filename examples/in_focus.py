"""Find what is in focus: a skill with a model of 400 numbers, trained on pictures of yours.

python examples/in_focus.py ui/examples/coffee.jpg ui/examples/chelsea.jpg
llava-plus run in_focus --image ui/examples/astronaut.jpg --skills examples/in_focus.py -o out.png

The first line trains it, in some seconds, and writes examples/in_focus.safetensors; the environment
variable IN_FOCUS_WEIGHTS names another file. Nobody labels anything: the pictures, taken for
sharp, are blurred on purpose, and the model learns to tell the two apart, cell by cell.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from llava_plus.errors import SetupError
from llava_plus.skills import Image, Masks, load_image, skill

if TYPE_CHECKING:
    from torch import (
        Generator,
        Tensor,
    )  # PyTorch is imported where it is used, since it takes a while

WEIGHTS = Path(os.environ.get("IN_FOCUS_WEIGHTS", Path(__file__).with_suffix(".safetensors")))
SHAPES = {"filters": (8, 1, 5, 5), "mix": (16, 8, 1, 1), "shift": (16,), "last": (1, 16, 1, 1)}
CELL = 16  # pixels between the places that are judged
FLAT = 3.0  # levels of 255 that a cell must differ by inside to be judged at all


@skill(examples=["what is in focus", "crop to the sharp part"])
class InFocus:
    """Find the part of a photograph that is in focus.

    Walls and skies without any texture are neither sharp nor blurred and are left out.
    """

    def load(self, device: str) -> None:
        """Read the weights, once for each process."""
        self._weights = {n: w.to(device) for n, w in read_weights(WEIGHTS).items()}
        self._device = device

    def __call__(self, image: Image, *, least: Annotated[float, Field(gt=0, lt=1)] = 0.5) -> Masks:
        """Judge a picture.

        Args:
            image: The photograph.
            least: How sure to be that a place is sharp.
        """
        import torch

        with torch.inference_mode():
            gray = to_gray(image).to(self._device)
            sure = torch.sigmoid(logits(gray, self._weights)) * textured(gray)
            size = (image.height, image.width)
            smooth = torch.nn.functional.interpolate(sure, size, mode="bilinear")
        mask = (smooth[0] >= least).cpu().numpy()  # (1, height, width)
        if not mask.any():
            return Masks((), query="sharp part")
        return Masks.from_array(mask, labels=("sharp part",), query="sharp part")


def to_gray(image: Image) -> "Tensor":
    """Return (1, 1, height, width) of 0 to 255, at least one cell wide and high."""
    import torch

    gray = np.asarray(image.to_pil().convert("L"))
    short = [(0, max(0, 2 * CELL - side)) for side in gray.shape]
    return torch.from_numpy(np.pad(gray, short, mode="edge").astype(np.float32))[None, None]


def logits(gray: "Tensor", weights: "dict[str, Tensor]") -> "Tensor":
    """Return (batch, 1, rows, columns): above 0 where the picture is sharp.

    The filters see no brightness, since each sums to 0; and no contrast, since only the ratios of
    their energies in a window count.
    """
    from torch.nn.functional import avg_pool2d, conv2d, pad, relu

    filters = weights["filters"] - weights["filters"].mean((2, 3), keepdim=True)
    answers = conv2d(gray, filters)  # (batch, 8, height - 4, width - 4)
    energy = avg_pool2d(pad(answers.square(), (2,) * 4, mode="replicate"), 2 * CELL, stride=CELL)
    levels = (energy + 1).log()  # (batch, 8, rows, columns)
    ratios = levels - levels.mean(1, keepdim=True)
    hidden = relu(conv2d(ratios, weights["mix"], weights["shift"]))
    return conv2d(hidden, weights["last"])


def textured(gray: "Tensor") -> "Tensor":
    """Return (batch, 1, rows, columns): 1 where there is something to judge, else 0."""
    from torch.nn.functional import avg_pool2d

    mean, square = (avg_pool2d(each, 2 * CELL, stride=CELL) for each in (gray, gray.square()))
    return ((square - mean.square()).clamp(min=0).sqrt() > FLAT).float()


def read_weights(path: Path) -> "dict[str, Tensor]":
    """Read and check the weights, or say how to make them."""
    make = f"Make them with: python {Path(__file__).name} PICTURE PICTURE"
    if not path.is_file():
        raise SetupError(f"in_focus needs its weights, and there is no {path}. {make}")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise SetupError(f"in_focus cannot read {path}: {error}. {make}") from error
    if {name: tuple(weight.shape) for name, weight in weights.items()} != SHAPES:
        raise SetupError(f"in_focus: {path} holds the weights of another model. {make}")
    return weights


def train(pictures: Sequence[Image], path: Path, *, steps: int = 300, seed: int = 0) -> float:
    """Train on sharp pictures, save the weights, and return the share of cells told right.

    Args:
        pictures: Sharp ones, of 64 pixels or more to each side.
        path: The file to write.
        steps: Each takes 8 sharp and 8 blurred pieces.
        seed: The same seed gives the same weights.
    """
    import torch
    from safetensors.torch import save_file

    if small := [p.describe() for p in pictures if min(p.width, p.height) < 64]:
        raise SetupError(
            f"in_focus trains on pictures of 64 pixels or more to each side, got {small[0]}."
        )
    draw = torch.Generator().manual_seed(seed)
    weights = {
        name: (torch.randn(shape, generator=draw) * 0.2).requires_grad_()
        for name, shape in SHAPES.items()
    }
    optimizer = torch.optim.Adam(weights.values(), lr=0.02)
    grays = [to_gray(picture) for picture in pictures]
    right = []
    for step in range(steps):
        sharp = torch.cat([piece(grays, draw) for _ in range(8)])
        sigma = 1.5 + 3 * torch.rand((), generator=draw).item()
        both = torch.cat([sharp, blurred(sharp, sigma)])
        told = logits(both, weights)
        wanted = (torch.arange(16) < 8).float()[:, None, None, None].expand_as(told)
        counts = textured(sharp).repeat(2, 1, 1, 1)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            told, wanted, weight=counts, reduction="sum"
        )
        optimizer.zero_grad()
        (losses / counts.sum().clamp(min=1)).backward()
        optimizer.step()
        if step >= steps - 20:
            right.append((((told > 0) == (wanted > 0)) * counts).sum() / counts.sum())
    save_file({name: weight.detach() for name, weight in weights.items()}, path)
    return float(torch.stack(right).mean())


def piece(grays: "Sequence[Tensor]", draw: "Generator") -> "Tensor":
    """Cut (1, 1, 64, 64) out of one of the pictures."""
    import torch

    gray = grays[int(torch.randint(len(grays), (), generator=draw))]
    top, left = (int(torch.randint(n - 63, (), generator=draw)) for n in gray.shape[2:])
    return gray[:, :, top : top + 64, left : left + 64]


def blurred(gray: "Tensor", sigma: float) -> "Tensor":
    """Blur with a Gaussian of sigma pixels."""
    import torch
    from torch.nn.functional import conv2d, pad

    reach = int(3 * sigma)
    bell = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    bell = bell / bell.sum()
    wide = pad(gray, (reach,) * 4, mode="reflect")
    return conv2d(conv2d(wide, bell.view(1, 1, 1, -1)), bell.view(1, 1, -1, 1))


def main(paths: Sequence[str]) -> None:
    """Train on the pictures that a command line names."""
    if not paths:
        raise SetupError("Name sharp pictures to train on, one or more.")
    share = train([load_image(path) for path in paths], WEIGHTS)
    print(f"{share:.1%} of the cells told right; wrote {WEIGHTS}")  # noqa: T201


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SetupError as error:
        sys.exit(str(error))
