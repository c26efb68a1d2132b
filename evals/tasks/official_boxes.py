"""RefCOCO, RefCOCO+ and RefCOCOg: which box an expression names."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from .published import Row, as_expected, entries_of


def refcoco(files: Sequence[Path], out: Path) -> Iterator[Row]:
    """A set in COCO's layout as MDETR has them, such as ``finetune_refcoco_val.json``.

    An entry of ``images`` is an expression with its picture; the annotation that names it has the
    box (x, y, width, height in pixels).
    """
    (file,) = files
    boxes: dict[int, list[float]] = {}
    for number, row in entries_of(file, "annotations"):
        with as_expected(file, number):
            boxes[row["image_id"]] = row["bbox"]
    for number, row in entries_of(file, "images"):
        with as_expected(file, number):
            x, y, width, height = boxes[row["id"]]
            wide, high = row["width"], row["height"]
            corners = (x / wide, y / high, (x + width) / wide, (y + height) / high)
            yield {
                "id": row["id"],
                "image": row["file_name"],
                "question": row["caption"],
                "box": [min(1.0, max(0.0, value)) for value in corners],
            }
