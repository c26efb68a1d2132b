"""LLaVA-Plus's API names as skills: its parameters are put into those of ours, or refused.

A name that no skill of ours answers is there, too, and says what would: nothing steps in silently.
"""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from llava_plus.errors import SkillError

from .apis import APIS, BY_NAME, Api
from .decorator import skill
from .original_calls import (
    TEXT_THRESHOLD,
    Maker,
    Share,
    declared,
    found,
    not_here,
    run_skill,
)
from .original_regions import REGIONS
from .original_saying import SAYING
from .pixels import Image
from .regions import Boxes, Masks
from .registry import SkillRegistry
from .spec import Routed, SkillSpec
from .values import Points, Text


def with_original_names(skills: SkillRegistry) -> SkillRegistry:
    """Return the skills and, under LLaVA-Plus's API names, what of them answers to those.

    A skill that is itself called like an API, or has that alias, answers it. What stands for an
    API runs inline; a worker's skill behind it runs in its worker, which is killed when the call is
    stopped or its time is up.
    """
    named = SkillRegistry(skills)
    for api in APIS:
        if names := [name for name in api.names if name not in named]:
            named.add(_spec_of(api, names, skills))
    return named


def _spec_of(api: Api, names: Sequence[str], skills: SkillRegistry) -> SkillSpec:
    """Declare what stands for an API under some of its names; the backend says what answers."""
    gone = [name for name in api.skills if name not in skills]
    make = None if gone else MADE.get(api.names[0])
    behind = [] if make is None else [_preferred(skills[name], api) for name in api.skills]
    spec = _absent(api, gone) if make is None else make(SkillRegistry(behind))
    answering = "+".join(_answering(one, api) for one in behind)
    return replace(
        spec,
        name=names[0],
        aliases=tuple(names[1:]),
        backend="not installed" if make is None else answering,
        version="+".join(one.version for one in behind) or spec.version,
        approval=any(one.approval for one in behind),
        cache=False,  # what answers may change without this
    )


def _preferred(spec: SkillSpec, api: Api) -> SkillSpec:
    """Return the skill with the backend that the API names, where that is in use here."""
    options = spec.function.options if isinstance(spec.function, Routed) else ()
    return next((each for each in options if each.backend in api.backends), spec)


def _answering(spec: SkillSpec, api: Api) -> str:
    """Name what answers: a skill of ours, or the model that the API names."""
    if isinstance(spec.function, Routed):
        return f"{spec.name}:{spec.backend}"
    return spec.backend if spec.backend in api.backends else spec.name


def _detection(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=120)
    def grounding_dino(
        image: Image,
        caption: str,
        *,
        box_threshold: Share = 0.3,
        text_threshold: Share = TEXT_THRESHOLD,
    ) -> Boxes:
        """Find what the phrases of a caption name; " . " stands between them."""
        return found(skills, image, caption, box_threshold, text_threshold)

    return declared(grounding_dino)


def _detection_outlined(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=180)
    def grounded_sam(
        image: Image,
        caption: str,
        *,
        box_threshold: Share = 0.3,
        text_threshold: Share = TEXT_THRESHOLD,
    ) -> Masks:
        """Find what the phrases of a caption name, and outline each."""
        boxes = found(skills, image, caption, box_threshold, text_threshold)
        if not len(boxes):
            return Masks((), query=boxes.query)
        masks: Masks = run_skill(skills, "segment", image=image, prompt=boxes)
        return masks

    return declared(grounded_sam)


def _outlines(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=120)
    def sam(
        image: Image,
        *,
        boxes: list[list[float]] | None = None,
        points: list[list[list[float]]] | None = None,
        point_labels: list[list[int]] | None = None,
    ) -> Masks:
        """Outline the thing in each box, or under each group of points (1 on it, 0 beside it)."""
        if points is None and boxes is not None:
            prompts: list[Boxes] | list[Points] = _boxes(boxes)
        elif boxes is None and points is not None:
            prompts = _groups(points, point_labels)
        else:
            raise SkillError("sam: give either boxes or points, and not both.")
        outlined = [run_skill(skills, "segment", image=image, prompt=prompt) for prompt in prompts]
        return Masks(tuple(rle for masks in outlined for rle in masks.rles))

    return declared(sam)


def _reading(skills: SkillRegistry) -> SkillSpec:
    """Return our own skill: it needs no more than the original's, the picture."""
    return skills["ocr"]


def _filling(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=120)
    def inpainting(image: Image, mask: Masks, *, prompt: str = "") -> Image:
        """Fill the first of the outlines found last, from what surrounds it: no prompt is painted.

        Args:
            image: The picture to edit.
            mask: The outlines; the newest ones where left out.
            prompt: What to paint; must be empty.
        """
        if prompt.strip():
            raise not_here(BY_NAME["inpainting"], f"paints {prompt.strip()[:80]!r}")
        if not len(mask):
            raise SkillError("inpainting: there is no outline in mask. Outline something first.")
        edited: Image = run_skill(skills, "erase", image=image, region=mask.take([0]))
        return edited

    return declared(inpainting)


def _absent(api: Api, gone: Sequence[str] = ()) -> SkillSpec:
    """Make a skill that takes all that such an API takes, and says what would answer it."""

    @skill(time_limit=5)
    def absent(
        image: Image | None = None,
        *,
        prompt: JsonValue = None,
        caption: JsonValue = None,
        point: JsonValue = None,
        points: JsonValue = None,
        point_labels: JsonValue = None,
        boxes: JsonValue = None,
        box_threshold: JsonValue = None,
        text_threshold: JsonValue = None,
        refimg: JsonValue = None,
        refmask: JsonValue = None,
    ) -> Text:
        """Stand for a tool of LLaVA-Plus that is not installed."""
        raise not_here(api, "does it", gone)

    return declared(absent)


MADE: dict[str, Maker] = {
    "grounding_dino": _detection,
    "grounding_dino+sam": _detection_outlined,
    "sam": _outlines,
    "ocr": _reading,
    "inpainting": _filling,
    **SAYING,
    **REGIONS,
}


def _boxes(boxes: list[list[float]]) -> list[Boxes]:
    try:
        return [Boxes((tuple(box),)) for box in boxes]  # type: ignore[arg-type]
    except ValueError as error:
        raise SkillError(f"sam: boxes: {error}.") from error


def _groups(points: list[list[list[float]]], labels: list[list[int]] | None) -> list[Points]:
    labels = [[1] * len(group) for group in points] if labels is None else labels
    if [len(group) for group in labels] != [len(group) for group in points] or not all(points):
        raise SkillError(
            "sam: point_labels must have 1 or 0 for each point of each group, as in "
            '{"points": [[[0.5, 0.3]]], "point_labels": [[1]]}.'
        )
    pairs = zip(points, labels, strict=True)
    try:
        return [Points(tuple(map(tuple, xy)), tuple(map(bool, on))) for xy, on in pairs]  # type: ignore[arg-type]
    except ValueError as error:
        raise SkillError(f"sam: points: {error}.") from error
