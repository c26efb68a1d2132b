"""One skill run from a shell: pictures, places and words in, a value out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.agent import parse_call
from llava_plus.errors import SetupError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Observation,
    Points,
    ResultCache,
    Runtime,
    SkillRegistry,
    Value,
    load_image,
    value_to_json,
)

from .overlays import Drawable
from .terminal import free_name


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a call by hand gave."""

    call: Call
    observation: Observation
    value: Value | None
    image: Image | None  # the first picture that went in
    name: str  # how to call a file of it

    def words(self) -> str:
        """Return the outcome as a person reads it."""
        if self.value is None or isinstance(self.value, Image):
            return self.observation.text
        return self.value.cite()

    def save(self, path: Path | None) -> Path | None:
        """Write the picture that came out, or what was found drawn on the one that went in."""
        picture = self.value if isinstance(self.value, Image) else None
        if path is None and picture is not None:
            path = free_name(Path(f"{self.name}.png"))
        if path is None or self.value is None:
            return None
        if picture is None and isinstance(self.value, Drawable) and self.image is not None:
            picture = self.value.overlay(self.image)
        if picture is None:
            raise SetupError(f"{self.call.skill} gives no picture to save: leave out -o.")
        if not path.parent.is_dir():
            raise SetupError(f"There is no folder {str(path.parent)!r} to save in. Make it first.")
        picture.save(path)
        return path

    def to_json(self, saved: Path | None) -> dict[str, Any]:
        """Return everything as plain JSON."""
        return {
            "call": self.call.model_dump(mode="json"),
            "observation": self.observation.model_dump(mode="json"),
            "value": None if self.value is None else value_to_json(self.value),
            "saved": None if saved is None else str(saved),
        }


async def run_skill(
    registry: SkillRegistry,
    skill: str,
    arguments: Sequence[str],
    *,
    images: Sequence[Path],
    regions: Sequence[str],
    points: Sequence[str],
    results: ResultCache | None = None,
) -> Result:
    """Run a skill on files.

    Args:
        registry: The skills that there are.
        skill: Which one.
        arguments: Such as ``strength=0.9``, or bare words for a label.
        images: The pictures.
        regions: Boxes, as numbers in 0..1 with commas.
        points: Places, likewise.
        results: What earlier runs have kept.
    """
    artifacts = Artifacts()
    handles = [artifacts.add(load_image(path)) for path in images]
    if regions:
        handles.append(artifacts.add(Boxes(tuple(map(_box, regions)))))
    if points:
        handles.append(artifacts.add(Points(tuple(map(_point, points)))))
    words = [skill, *handles, *map(_quoted, arguments)]
    call = parse_call(" ".join(words), registry, artifacts)
    observation = await Runtime(registry, artifacts, results=results).run(call)
    handle = observation.handle
    value = None if handle is None else artifacts[handle].value
    first = artifacts["img_1"].value if images else None
    return Result(
        call=call,
        observation=observation,
        value=value,
        image=first if isinstance(first, Image) else None,
        name=f"{images[0].stem}-{call.skill}" if images else call.skill,
    )


def numbers(text: str, count: int) -> tuple[float, ...]:
    """Read numbers in 0..1 with commas between them."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count or not all(0 <= value <= 1 for value in values):
        raise SetupError(
            f"{text!r} is no place on a picture: wanted {count} numbers from 0 to 1 with commas, "
            f"such as {','.join(['0.25', '0.5', '0.75', '1'][:count])}."
        )
    return values


def _box(text: str) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = numbers(text, 4)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _point(text: str) -> tuple[float, float]:
    x, y = numbers(text, 2)
    return x, y


def _quoted(argument: str) -> str:
    """Put quotes around what a shell has taken them from."""
    name, sign, value = argument.partition("=")
    if not sign or not name.isidentifier():
        return json.dumps(argument, ensure_ascii=False) if " " in argument else argument
    plain = not any(c in value for c in " \"'") or value[:1] in "[\"'"
    return argument if plain else f"{name}={json.dumps(value, ensure_ascii=False)}"
