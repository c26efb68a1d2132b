"""Skills that are two others, one after the other, with the models that these have."""

from collections.abc import Callable
from dataclasses import replace

from llava_plus.skills import Boxes, Image, Masks, SkillRegistry, Value, model_registry
from llava_plus.skills.noun_phrases import noun_phrases
from llava_plus.skills.original_calls import PHRASES, run_skill
from llava_plus.skills.spec import Routed

TAGS = 10  # that are looked for
SAYING = ("caption", "tag")


def with_composed(skills: SkillRegistry) -> SkillRegistry:
    """Return the skills with those that are made of them, where a model finds what a phrase names.

    ``segment_named`` outlines with whatever ``segment`` has; ``ground`` needs ``caption`` or
    ``tag``. With the built-in ``detect`` alone they would know three words, and are left out.
    """
    if "detect" not in skills or not isinstance(skills["detect"].function, Routed):
        return skills
    if "segment" in skills:
        skills = _with(skills, "segment_named", ("detect", "segment"), _named)
    saying = [name for name in SAYING if name in skills]
    return _with(skills, "ground", (*saying, "detect"), _grounded) if saying else skills


def _with(
    skills: SkillRegistry,
    name: str,
    names: tuple[str, ...],
    make: Callable[[SkillRegistry], Callable[..., Value]],
) -> SkillRegistry:
    """Add a skill that is made of others, unless there is one of its name."""
    if name in skills:
        return skills
    parts = SkillRegistry(skills[part] for part in names)
    declared = model_registry()[name]
    spec = replace(
        declared,
        function=make(parts),
        backend="+".join(f"{each.name}:{each.backend}" for each in parts),
        version="+".join([declared.version, *(each.version for each in parts)]),
        isolation="inline",
        time_limit=sum(each.time_limit for each in parts),
    )
    return SkillRegistry([*skills, spec])


def _named(parts: SkillRegistry) -> Callable[..., Value]:
    def segment_named(image: Image, label: str) -> Masks:
        boxes = run_skill(parts, "detect", image=image, label=label)
        if not len(boxes):
            return Masks((), query=boxes.query)
        masks: Masks = run_skill(parts, "segment", image=image, prompt=boxes)
        return masks

    return segment_named


def _grounded(parts: SkillRegistry) -> Callable[..., Value]:
    def ground(image: Image, *, by: str = "caption") -> Boxes:
        if by == "tags":
            tags = run_skill(parts, "tag", image=image, most=TAGS)
            names, told = tags.names, ", ".join(tags.names)
        else:
            told = run_skill(parts, "caption", image=image).text
            names = noun_phrases(told)[:PHRASES]
        if not names:
            return Boxes((), query=told)
        boxes: Boxes = run_skill(parts, "detect", image=image, label=" . ".join(names))
        return replace(boxes, query=told)

    return ground
