"""LLaVA-Plus's API names as skills: its parameters are put into those of ours, or refused.

A name that no skill of ours answers is there, too, and says what would: nothing steps in silently.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, JsonValue

from llava_plus.errors import SkillError

from .apis import APIS, BY_NAME, GROUNDING_DINO, Api
from .decorator import skill, spec_of
from .origin import origin_of
from .pixels import Image
from .regions import Boxes, Masks
from .registry import SkillRegistry
from .spec import Routed, SkillSpec
from .values import Points, Text
from .workers import GIVEN_UP, default_pool

PHRASES = 16  # of one caption
TEXT_THRESHOLD = 0.25  # what the original's server sends where nothing else is asked for
Share = Annotated[float, Field(ge=0, le=1)]


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


def phrases(caption: str) -> tuple[str, ...]:
    """Return the phrases of a caption such as "girl . cart .", each once."""
    return tuple(dict.fromkeys(part for word in caption.split(".") if (part := word.strip())))


def _spec_of(api: Api, names: Sequence[str], skills: SkillRegistry) -> SkillSpec:
    """Declare what stands for an API under some of its names; the backend says what answers."""
    there = all(name in skills for name in api.skills)
    make = MADE.get(api.names[0]) if there else None
    behind = [_preferred(skills[name], api) for name in api.skills] if there else []
    spec = _absent(api) if make is None else make(SkillRegistry(behind))
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


def _declared(function: Callable[..., Any]) -> SkillSpec:
    spec = spec_of(function)
    assert spec is not None
    return spec


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
        return _found(skills, image, caption, box_threshold, text_threshold)

    return _declared(grounding_dino)


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
        boxes = _found(skills, image, caption, box_threshold, text_threshold)
        if not len(boxes):
            return Masks((), query=boxes.query)
        masks: Masks = _run(skills, "segment", image=image, prompt=boxes)
        return masks

    return _declared(grounded_sam)


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
        found = [_run(skills, "segment", image=image, prompt=prompt) for prompt in prompts]
        return Masks(tuple(rle for masks in found for rle in masks.rles))

    return _declared(sam)


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
            raise _not_here(BY_NAME["inpainting"], f"paints {prompt.strip()[:80]!r}")
        if not len(mask):
            raise SkillError("inpainting: there is no outline in mask. Outline something first.")
        edited: Image = _run(skills, "erase", image=image, region=mask.take([0]))
        return edited

    return _declared(inpainting)


def _absent(api: Api) -> SkillSpec:
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
    ) -> Text:
        """Stand for a tool of LLaVA-Plus that is not installed."""
        raise _not_here(api, "does it")

    return _declared(absent)


MADE: dict[str, Callable[[SkillRegistry], SkillSpec]] = {
    "grounding_dino": _detection,
    "grounding_dino+sam": _detection_outlined,
    "sam": _outlines,
    "ocr": _reading,
    "inpainting": _filling,
}


def _not_here(api: Api, what: str) -> SkillError:
    return SkillError(
        f"{api.names[0]}: {api.does}, in LLaVA-Plus with {api.model}; nothing that is installed "
        f"{what}. The planned model tier would. Until then a file of one's own skills, given with "
        f"--skills, can bring a skill with aliases={list(api.names)}. Do without it, or answer."
    )


def _found(
    skills: SkillRegistry, image: Image, caption: str, threshold: float, text_threshold: float
) -> Boxes:
    """Detect each phrase of a caption; labels are the phrases as the caption writes them."""
    wanted = phrases(caption)
    if not 0 < len(wanted) <= PHRASES:
        raise SkillError(
            f"grounding_dino: caption names {len(wanted)} things; wanted 1 to {PHRASES}, "
            'with " . " between them, such as "face . text".'
        )
    if skills["detect"].backend in GROUNDING_DINO:
        limits = {"threshold": threshold, "text_threshold": text_threshold}
        seen: Boxes = _run(skills, "detect", image=image, label=caption, **limits)
        return seen
    if text_threshold != TEXT_THRESHOLD:
        raise SkillError(
            f"grounding_dino: text_threshold {text_threshold:g} weighs words within GroundingDINO, "
            "which is not what detects here. Leave it out."
        )
    parts: list[Boxes] = []
    for phrase in wanted:
        found: Boxes = _run(skills, "detect", image=image, label=phrase)
        parts.append(found.above(threshold))
    named = zip(wanted, parts, strict=True)
    return Boxes(
        tuple(box for part in parts for box in part.xyxy),
        labels=tuple(phrase for phrase, part in named for _ in range(len(part))),
        scores=tuple(s for part in parts for s in part.scores or (1.0,) * len(part)),
        query=" and ".join(wanted),
    )


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


def _run(skills: SkillRegistry, name: str, **args: Any) -> Any:
    """Run one of our skills on values, in a worker where it runs in one otherwise, too."""
    spec = skills.find(name).for_call(args)
    origin = origin_of(spec) if spec.isolation == "worker" else None
    if origin is None:
        return spec.function(**args)
    return default_pool().run(spec, origin, args, GIVEN_UP.get(threading.Event()))
