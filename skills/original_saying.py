"""LLaVA-Plus's APIs that say what a picture shows, and those that also find what is said."""

from collections.abc import Sequence
from dataclasses import replace

from .decorator import skill
from .noun_phrases import noun_phrases
from .original_calls import (
    PHRASES,
    TEXT_THRESHOLD,
    Maker,
    Share,
    declared,
    found,
    run_skill,
)
from .pixels import Image
from .regions import Boxes
from .registry import SkillRegistry
from .spec import SkillSpec
from .values import Tags, Text

TAGS = 10  # of one picture


def _captioning(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=300)
    def blip2(image: Image) -> Text:
        """Say in a sentence what a picture shows."""
        caption: Text = run_skill(skills, "caption", image=image)
        return caption

    return declared(blip2)


def _tagging(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=300)
    def ram(image: Image) -> Tags:
        """Name what a picture shows, in single words."""
        tags: Tags = run_skill(skills, "tag", image=image, most=TAGS)
        return tags

    return declared(ram)


def _caption_grounded(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=300)
    def blip2_grounding_dino(
        image: Image, *, box_threshold: Share = 0.3, text_threshold: Share = TEXT_THRESHOLD
    ) -> Boxes:
        """Say what a picture shows, and find what that names."""
        caption: Text = run_skill(skills, "caption", image=image)
        names = noun_phrases(caption.text)[:PHRASES]
        return _grounded(skills, image, names, caption.text, box_threshold, text_threshold)

    return declared(blip2_grounding_dino)


def _tags_grounded(skills: SkillRegistry) -> SkillSpec:
    @skill(time_limit=300)
    def ram_grounding_dino(
        image: Image, *, box_threshold: Share = 0.3, text_threshold: Share = TEXT_THRESHOLD
    ) -> Boxes:
        """Name what a picture shows in single words, and find each."""
        tags: Tags = run_skill(skills, "tag", image=image, most=TAGS)
        told = ", ".join(tags.names)
        return _grounded(skills, image, tags.names, told, box_threshold, text_threshold)

    return declared(ram_grounding_dino)


def _grounded(
    skills: SkillRegistry,
    image: Image,
    names: Sequence[str],
    told: str,
    threshold: float,
    text_threshold: float,
) -> Boxes:
    """Detect what was named; the query of the result is what was said."""
    if not names:
        return Boxes((), query=told)
    boxes = found(skills, image, " . ".join(names), threshold, text_threshold)
    return replace(boxes, query=told)


SAYING: dict[str, Maker] = {
    "blip2": _captioning,
    "blip2+grounding_dino": _caption_grounded,
    "ram": _tagging,
    "ram+grounding_dino": _tags_grounded,
}
