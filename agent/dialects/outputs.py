"""What skills return, as LLaVA-Plus's server puts it into a prompt: Python dicts of few numbers."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue

from llava_plus.skills import (
    Boxes,
    Image,
    Masks,
    Number,
    Points,
    Table,
    Tags,
    Text,
    TextLines,
    Value,
    region_boxes,
)
from llava_plus.skills.apis import BY_NAME
from llava_plus.skills.original_regions import RETRIEVED


def output(
    name: str, value: Value | None, text: str = "", args: Mapping[str, JsonValue] | None = None
) -> dict[str, Any]:
    """Return what the original would have put into the prompt: numbers rounded to 2 decimals.

    Args:
        name: What the planner called the skill.
        value: What came of it, None where it failed.
        text: What went wrong.
        args: Those of the call.
    """
    if value is None:
        return {"text": text, "error_code": 1}
    if isinstance(value, TextLines) and name == "easyocr":
        return {"texts": list(value.texts)}
    if name == "sam" and args and args.get("boxes") is not None:  # it gives them back as they came
        return {"boxes": rounded(args["boxes"])}
    if isinstance(value, Masks) and name in BY_NAME and BY_NAME[name].silent:
        return {"message": f"The {shown(name)} has processed the image."}
    if isinstance(value, Masks) and name in BY_NAME and "caption" in BY_NAME[name].parameters:
        value = region_boxes(value)
    found: dict[str, Any] = rounded(OUTPUTS[value.kind](value))
    if isinstance(value, Boxes) and name in BY_NAME and BY_NAME[name].tells:
        found[BY_NAME[name].tells] = value.query
    return found or {"message": f"The {shown(name)} has processed the image."}


def shown(name: str) -> str:
    """Return how the original's server introduces what a tool gave."""
    return (name in BY_NAME and BY_NAME[name].shown) or name


def _boxes(value: Boxes | Masks) -> dict[str, Any]:
    boxes = region_boxes(value)
    if isinstance(value, Masks):
        return {"boxes": boxes.xyxy}
    return {"boxes": boxes.xyxy, "logits": boxes.scores, "phrases": boxes.labels}


def _table(value: Table) -> dict[str, Any]:
    if value.columns == RETRIEVED:
        return {"retrieval_results": [dict(zip(RETRIEVED, row, strict=True)) for row in value.rows]}
    return {"columns": value.columns, "rows": value.rows}


OUTPUTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    Image.kind: lambda value: {},
    Boxes.kind: _boxes,
    Masks.kind: _boxes,
    Points.kind: lambda value: {"points": value.xy},
    TextLines.kind: lambda value: {
        "boxes": region_boxes(value).xyxy,
        "texts": value.texts,
        "scores": value.scores,
    },
    Tags.kind: lambda value: {"tags": ", ".join(value.names)},
    Text.kind: lambda value: {"caption": value.text},
    Number.kind: lambda value: {"number": value.value},
    Table.kind: _table,
}


def rounded(value: Any) -> Any:
    """Round every float, and turn tuples into lists, at any depth."""
    if isinstance(value, float):
        return round(value, 2)
    if isinstance(value, tuple | list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value
