"""Train small detectors and a segmenter on drawn shapes, and measure them through the skills.

python examples/train_detector.py OUT --model yolo     # needs the extra yolo (AGPL-3.0)
python examples/train_detector.py OUT --model owlv2
python examples/train_detector.py OUT --model sam

Each writes OUT/NAME in the form that the published weights have, in ten minutes or so (owlv2: an
hour) on one core of a processor, and can be stopped and started again. Then, with what it wrote:

llava-plus run detect "red triangle" --image OUT/scene.png --backend detect=owlv2:OUT/owlv2

Nothing is fetched: the weights begin as chance, and everything in a scene is known because it was
drawn (examples/drawn/scenes.py). What is measured are other scenes, of another seed.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from drawn.measure import average_precision, mean_overlap
from drawn.owl import train_owl
from drawn.scenes import SIDE, Scene, scenes
from drawn.segmenter import train_sam
from drawn.yolo import train_yolo

from llava_plus.errors import SetupError

UNSEEN = 100  # scenes
OTHER = 1000  # added to the seed for them


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train a model, measure it, print what came of it and return the figures, in 0..1."""
    asked = _read(arguments)
    folder: Path = asked.out / asked.model
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    sizes = {name: value for name in ("count", "steps") if (value := getattr(asked, name))}
    if asked.model == "yolo":
        train_yolo(folder, _tell, seed=asked.seed, **sizes)
        backend = f"detect=yolo:{folder / 'best.pt'}"
    elif asked.model == "owlv2":
        train_owl(folder, _tell, seed=asked.seed, **sizes)
        backend = f"detect=owlv2:{folder}"
    else:
        train_sam(folder, _tell, seed=asked.seed, **sizes)
        backend = f"segment=sam:{folder}"
    _tell(f"Trained in {time.monotonic() - start:.0f} s. Measuring {asked.unseen} unseen scenes.")
    drawn = list(scenes(asked.unseen, seed=asked.seed + OTHER))
    _show(asked.out / "scene.png", drawn)
    if asked.model == "sam":
        found = {f"IoU by {by}": mean_overlap(backend, drawn, by=by) for by in ("box", "point")}
    else:
        found = {"mAP50": average_precision(backend, drawn)}
    figures = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    _tell(f"{figures} (seed {asked.seed}, unseen {asked.unseen}). Use it with --backend {backend}")
    return found


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder that gets the weights")
    parser.add_argument("--model", choices=("yolo", "owlv2", "sam"), required=True)
    parser.add_argument("--seed", type=int, default=0, help="of scenes and weights")
    parser.add_argument("--count", type=int, help="scenes to train on, else what the model needs")
    parser.add_argument("--steps", type=int, help="batches (yolo: epochs), else what it needs")
    parser.add_argument("--unseen", type=int, default=UNSEEN, help="scenes to measure with")
    return parser.parse_args(arguments)


def _show(file: Path, drawn: Sequence[Scene]) -> None:
    """Save an unseen scene, four times as wide, if there is one with more than a red triangle."""
    for one in drawn:
        if one.names.count("red triangle") == 1 and len(one.names) > 1:
            one.image.to_pil().resize((4 * SIDE, 4 * SIDE)).save(file)
            return


def _tell(words: str) -> None:
    print(words, flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(str(error))
