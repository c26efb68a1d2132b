"""Training a small YOLO with ultralytics' own trainer, which fetches and tells nobody anything."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError
from llava_plus.skills.backends.yolo import import_quietly

from .scenes import NAMES, SIDE, Scene, scenes

DESIGN = {  # half as wide as the smallest that is published, and looks at two scales
    "nc": len(NAMES),
    "backbone": [[-1, 1, "Conv", [16, 3, 2]], [-1, 1, "Conv", [24, 3, 2]],
                 [-1, 1, "C2f", [24, True]], [-1, 1, "Conv", [48, 3, 2]],
                 [-1, 2, "C2f", [48, True]], [-1, 1, "Conv", [96, 3, 2]],
                 [-1, 1, "C2f", [96, True]], [-1, 1, "SPPF", [96, 5]]],
    "head": [[-1, 1, "nn.Upsample", [None, 2, "nearest"]], [[-1, 4], 1, "Concat", [1]],
             [-1, 1, "C2f", [48]], [-1, 1, "Conv", [48, 3, 2]], [[-1, 7], 1, "Concat", [1]],
             [-1, 1, "C2f", [96]], [[10, 13], 1, "Detect", ["nc"]]],
}  # fmt: skip
EPOCHS = 14
COUNT = 1200  # scenes


def train_yolo(
    folder: Path, tell: Callable[[str], None], *, seed: int, count: int = COUNT, steps: int = EPOCHS
) -> Path:
    """Train, or go on where a training stopped, and return the file with the weights.

    Args:
        folder: Gets the drawn scenes, what ultralytics writes, and ``best.pt``.
        tell: Takes what a person is told.
        seed: Of scenes and weights.
        count: How many scenes.
        steps: How often each is seen.
    """
    best = folder / "best.pt"
    if best.is_file():
        tell(f"{best} is there; delete it to train again.")
        return best
    _prepare(folder)
    from ultralytics import YOLO

    data = _written(folder, count, seed, tell)
    last = folder / "train" / "weights" / "last.pt"
    model = YOLO(str(last if last.is_file() else folder / "design.yaml"), task="detect")
    model.add_callback("on_train_epoch_end", lambda trainer: tell(_told(trainer)))
    if last.is_file():
        tell(f"Going on after {last}.")
        model.train(resume=True)
    else:
        model.train(
            data=str(data), epochs=steps, imgsz=SIDE, batch=16, seed=seed, device="cpu", workers=0,
            project=str(folder), name="train", exist_ok=True, pretrained=False, amp=False,
            optimizer="AdamW", lr0=0.003, warmup_epochs=1, mosaic=0, scale=0.3,
            degrees=0, hsv_h=0, hsv_s=0.2, hsv_v=0.2, plots=False, val=False, verbose=False,
        )  # fmt: skip
    shutil.copyfile(last, best)
    return best


def losses(folder: Path) -> Iterator[float]:
    """Yield the training's loss after each epoch, as ultralytics wrote it down."""
    lines = (folder / "train" / "results.csv").read_text().splitlines()
    names = [name.strip() for name in lines[0].split(",")]
    columns = [place for place, name in enumerate(names) if name.startswith("train/")]
    for line in lines[1:]:
        cells = line.split(",")
        yield sum(float(cells[column]) for column in columns)


def _told(trainer: Any) -> str:
    loss = sum(trainer.label_loss_items(trainer.tloss).values())
    return f"epoch {trainer.epoch + 1} of {trainer.epochs}: loss {float(loss):.3f}"


def _prepare(folder: Path) -> None:
    """Import ultralytics with settings of its own, and a font, which it would fetch otherwise."""
    import matplotlib

    settings = folder / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    os.environ["YOLO_CONFIG_DIR"] = str(settings)
    own = settings / "Ultralytics"
    own.mkdir(exist_ok=True)
    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    shutil.copyfile(font, own / "Arial.ttf")
    try:
        import_quietly()
        from ultralytics.utils import SETTINGS
    except ImportError as error:
        raise SetupError(
            "Training a YOLO needs the extra `yolo`; docs/vision-models.md has the commands."
        ) from error
    SETTINGS.update(
        {name: False for name, value in SETTINGS.items() if value is True}
    )  # who is told


def _written(folder: Path, count: int, seed: int, tell: Callable[[str], None]) -> Path:
    """Write scenes as ultralytics reads them, once, and return the file that describes them."""
    import yaml

    data = folder / "data.yaml"
    if data.is_file():
        return data
    tell(f"Drawing {count} scenes.")
    for part in ("images", "labels"):
        (folder / "scenes" / part).mkdir(parents=True, exist_ok=True)
    for number, scene in enumerate(scenes(count, seed=seed)):
        scene.image.to_pil().save(folder / "scenes" / "images" / f"{number:05d}.png")
        (folder / "scenes" / "labels" / f"{number:05d}.txt").write_text(_lines(scene))
    (folder / "design.yaml").write_text(yaml.safe_dump(DESIGN))
    told = {"path": str(folder / "scenes"), "train": "images", "val": "images"}
    data.write_text(yaml.safe_dump({**told, "names": dict(enumerate(NAMES))}))
    return data


def _lines(scene: Scene) -> str:
    """Return a line for each thing: its number, middle x, middle y, width, height in 0..1."""
    lines = []
    for name, (left, top, right, bottom) in zip(scene.names, scene.boxes, strict=True):
        places = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        lines.append(" ".join([str(NAMES.index(name)), *(f"{place:.5f}" for place in places)]))
    return "\n".join(lines) + "\n"
