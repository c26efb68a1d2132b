"""LLaVA-Plus's APIs that divide and outline in more ways, and the one that finds pictures."""

from pathlib import PurePosixPath

from pydantic import JsonValue, TypeAdapter, ValidationError

from llava_plus.errors import SkillError

from .decorator import skill
from .original_calls import Maker, declared, run_skill
from .pixels import Image
from .regions import Boxes, Masks, Region
from .registry import SkillRegistry
from .spec import SkillSpec
from .values import Points, Table

HITS = 20  # of one call, as in the original
RETRIEVED = ("caption", "similarity")
_NUMBERS = TypeAdapter(list[float])


def _scene(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=300)
    def openseed(image: Image) -> Masks:
        """Divide a picture by what each part shows."""
        masks: Masks = run_skill(skills, "segment_scene", image=image)
        return masks

    return declared(openseed)


def _levels(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=300)
    def semantic_sam(image: Image, *, point: JsonValue = None, boxes: JsonValue = None) -> Masks:
        """Give outlines of several sizes around a point, or around the middle of a box."""
        if (point is None) == (boxes is None):
            raise SkillError("semantic-sam: give either point or boxes, and not both.")
        spot = _point(point) if boxes is None else _middle(boxes)
        masks: Masks = run_skill(skills, "segment_levels", image=image, points=spot)
        return masks

    return declared(semantic_sam)


def _alike(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=300)
    def seem(image: Image, refimg: Image, refmask: Region) -> Masks:
        """Outline what is like the marked thing of a reference picture.

        Args:
            image: The picture to look at.
            refimg: The reference; where left out the picture before the newest one, as far as there
                is one.
            refmask: What is marked in it; where left out the newest boxes or outlines.
        """
        asked = {"image": image, "reference": refimg, "region": refmask}
        masks: Masks = run_skill(skills, "segment_alike", **asked)
        return masks

    return declared(seem)


def _retrieval(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=300, cache=False)
    def clip(image: Image) -> Table:
        """Find pictures like this one in the person's own folder: their names and similarity."""
        found: Table = run_skill(skills, "search_images", image=image, most=HITS)
        rows = ((PurePosixPath(str(path)).stem, likeness) for _, path, likeness in found.rows)
        return Table(RETRIEVED, tuple(rows))

    return declared(clip)


REGIONS: dict[str, Maker] = {
    "openseed": _scene,
    "semantic-sam": _levels,
    "seem": _alike,
    "clip": _retrieval,
}


def _point(point: JsonValue) -> Points:
    x, y = _row("point", point, 2)
    try:
        return Points(((x, y),))
    except ValueError as error:
        raise SkillError(f"semantic-sam: point: {error}.") from error


def _middle(boxes: JsonValue) -> Points:
    x0, y0, x1, y1 = _row("boxes", boxes, 4)
    try:
        ((left, top, right, bottom),) = Boxes(((x0, y0, x1, y1),)).xyxy
    except ValueError as error:
        raise SkillError(f"semantic-sam: boxes: {error}.") from error
    return Points((((left + right) / 2, (top + bottom) / 2),))


def _row(name: str, given: JsonValue, length: int) -> list[float]:
    """Read one row of numbers, within a list of its own or not."""
    inner = given[0] if isinstance(given, list) and len(given) == 1 else given
    try:
        row = _NUMBERS.validate_python(inner)
    except ValidationError:
        row = []
    if len(row) != length:
        raise SkillError(
            f"semantic-sam: {name} wants {length} numbers from 0 to 1, such as "
            f"{[[0.5, 0.3, 0.8, 0.6][:length]]}, got {str(given)[:80]}."
        )
    return row
